from alcove.engine.context cimport Context
from alcove.types.stream cimport Stream
from alcove.types.stream_group cimport Consumer, Group, delivery_count, delivery_ms
from alcove.types.stream_id cimport successor, text
