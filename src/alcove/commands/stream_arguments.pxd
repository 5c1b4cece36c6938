from alcove.engine.context cimport Context
from alcove.integers cimport try_int
from alcove.numeric cimport parse_int
from alcove.types.stream cimport Stream
from alcove.types.stream_id cimport pack, predecessor, successor, text
