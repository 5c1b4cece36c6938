from alcove.engine.context cimport Context
from alcove.types.stream cimport Stream
from alcove.types.stream_group cimport Consumer, Group
from alcove.types.stream_id cimport successor, text
from alcove.types.stream_records cimport SortedRecords
