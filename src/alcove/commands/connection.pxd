from alcove.engine.context cimport Context
from alcove.engine.session cimport Session
