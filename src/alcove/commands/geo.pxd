from alcove.engine.arguments cimport Arguments
from alcove.engine.context cimport Context
from alcove.types.geohash cimport Area
from alcove.types.sorted_set cimport SortedSet
