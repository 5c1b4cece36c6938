from alcove.engine.context cimport Context
from alcove.types.stream cimport Stream
