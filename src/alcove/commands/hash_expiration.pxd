from alcove.engine.context cimport Context
from alcove.types.hash cimport Hash
