from alcove.engine.context cimport Context
from alcove.types.stream cimport Stream
from alcove.types.stream_group cimport Consumer, Group
