cimport cython
cimport libc.math as math

cdef double LONGITUDE_MAX, LATITUDE_MAX, POLE, EARTH_RADIUS_M, MERCATOR_MAX_M, DEGREE
cdef int STEPS
cdef unsigned long long ONES, TWOS, FOURS, EIGHTS, SIXTEENS, LOW_HALF

cpdef unsigned long long spread(unsigned long long number) noexcept
cpdef unsigned long long gather(unsigned long long number) noexcept
cpdef unsigned long long cell_of(double degrees, double bound, int step) noexcept
cpdef double edge(unsigned long long cell, double bound, int step) noexcept
@cython.locals(degrees=double)
cpdef double middle(unsigned long long cell, double bound) noexcept
cpdef bint is_place(double longitude, double latitude) noexcept
cpdef double encode(double longitude, double latitude) noexcept
cpdef double longitude_of(double score) except? -1
cpdef double latitude_of(double score) except? -1
cpdef unsigned long long bits_of(double score) except? 1
@cython.locals(u=double, v=double, first=double, second=double)
cpdef double distance(double longitude1, double latitude1, double longitude2, double latitude2) noexcept
cpdef double latitude_distance(double latitude1, double latitude2) noexcept
cpdef unsigned long long beside(unsigned long long cell, int steps, int step) noexcept
@cython.locals(west=double, south=double, east=double, north=double)
cpdef bint covered(unsigned long long column, unsigned long long row, int step, tuple bounds) except -1

cdef class Area:
    cdef public double longitude, latitude
    cpdef double distance_to(self, double score) except? -2
    @cython.locals(latitude=double, west=double, south=double, east=double, north=double, step=int, shift=int,
                   column="unsigned long long", row="unsigned long long", bits="unsigned long long",
                   to_east=int, to_north=int)
    cpdef list ranges(self)
    @cython.locals(reach=double, step=int)
    cpdef int _step(self) except -1

cdef class Circle(Area):
    cdef public double radius_m
    @cython.locals(away=double)
    cpdef double distance_to(self, double score) except? -2

cdef class Box(Area):
    cdef public double width_m, height_m, diagonal_m
    @cython.locals(longitude=double, latitude=double)
    cpdef double distance_to(self, double score) except? -2

cdef class Polygon(Area):
    cdef public list corners
    @cython.locals(longitude=double, latitude=double, before_x=double, before_y=double, x=double, y=double,
                   crossing=double, inside=bint)
    cpdef double distance_to(self, double score) except? -2
