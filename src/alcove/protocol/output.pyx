"""The bytes on their way to a client: the native twin of output.py, over memory of its own."""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_Check, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.buffer cimport PyBUF_READ
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.string cimport memcpy, memmove

# None of these calls waits, whatever the mode of the descriptor, so the interpreter's lock is kept: to give it up
# and to fight for it again costs more than they do.
cdef extern from *:
    """
    #include <errno.h>
    #ifdef _WIN32
    /* There a descriptor is no socket: callers pass the socket object. */
    static Py_ssize_t alcove_send(int fd, const char *data, size_t size) { errno = EBADF; return -1; }
    static Py_ssize_t alcove_recv(int fd, char *data, size_t size) { errno = EBADF; return -1; }
    #else
    #include <sys/socket.h>
    #ifndef MSG_NOSIGNAL  /* Python ignores SIGPIPE, a host program may not */
    #define MSG_NOSIGNAL 0
    #endif
    static Py_ssize_t alcove_send(int fd, const char *data, size_t size) {
        Py_ssize_t sent;
        do { sent = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT); } while (sent < 0 && errno == EINTR);
        return sent;
    }
    static Py_ssize_t alcove_recv(int fd, char *data, size_t size) {
        Py_ssize_t got;
        do { got = recv(fd, data, size, MSG_DONTWAIT); } while (got < 0 && errno == EINTR);
        return got;
    }
    #endif
    static int alcove_would_block(void) { return errno == EAGAIN || errno == EWOULDBLOCK; }
    """
    Py_ssize_t alcove_send(int fd, const char *data, size_t size) noexcept nogil
    Py_ssize_t alcove_recv(int fd, char *data, size_t size) noexcept nogil
    bint alcove_would_block() noexcept nogil

cdef extern from "Python.h":
    ctypedef struct PyObject
    object PyErr_SetFromErrno(object)
    # `bytes` under construction, which Cython's own declarations do not know.
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *, Py_ssize_t) except NULL
    char *bytes_start "PyBytes_AS_STRING"(PyObject *) noexcept
    int _PyBytes_Resize(PyObject **, Py_ssize_t) except -1
    void Py_DECREF(PyObject *)

# The most one call hands to the kernel, so that one connection cannot keep the others waiting.
cdef Py_ssize_t SEND_LIMIT = 1024 * 1024
# Memory that an empty buffer keeps; more is given back when it has drained.
cdef Py_ssize_t KEPT = 16 * 1024
cdef Py_ssize_t FIRST = 512
# The digits of a 64-bit number and its sign.
cdef enum:
    NUMBER_CHARS = 20
    RECEIVE_SIZE = 64 * 1024

# Received bytes pass through here, so that the object made of them is as small as they are.
cdef char received[RECEIVE_SIZE]


cdef inline Py_ssize_t write_number(char *place, long long number) noexcept:
    """Writes the decimal digits and says how many chars they took."""
    cdef unsigned long long rest = number, bound = 10
    cdef Py_ssize_t size, at, sign = 0
    if number < 0:
        place[0] = b"-"
        sign = 1
        rest = 0 - rest
    size = sign + 1
    while rest >= bound:
        bound *= 10
        size += 1
    at = size
    while at > sign:
        at -= 1
        place[at] = <char>(48 + rest % 10)
        rest //= 10
    return size


cdef inline Py_ssize_t view(object data, const char **start) except -1:
    """The bytes of a `bytes` or `bytearray`, and their number."""
    if PyBytes_Check(data):
        start[0] = PyBytes_AS_STRING(data)
        return PyBytes_GET_SIZE(data)
    if PyByteArray_Check(data):
        start[0] = PyByteArray_AS_STRING(data)
        return PyByteArray_GET_SIZE(data)
    raise TypeError(f"bytes or bytearray expected, not {type(data).__name__}")


cdef class OutputBuffer:
    """Replies, appended whole and sent as far as the peer takes them."""

    def __dealloc__(self):
        PyMem_Free(self._base)

    def __len__(self):
        return self._tail - self._head

    cdef inline char *_room(self, Py_ssize_t count) except NULL:
        """The place for `count` more bytes behind the tail, which the caller moves."""
        if self._base != NULL and self._size - self._tail >= count:
            return self._base + self._tail
        return self._more_room(count)

    cdef char *_more_room(self, Py_ssize_t count) except NULL:
        """The same where there is not enough of it."""
        cdef Py_ssize_t length = self._tail - self._head, size
        cdef char *base
        if self._head > length and self._size - length >= count:
            memcpy(self._base, self._base + self._head, length)
        else:
            size = max(self._size, FIRST)
            while size - self._tail < count:
                size *= 2
            base = <char *>PyMem_Realloc(self._base, size)
            if base == NULL:
                raise MemoryError
            self._base = base
            self._size = size
            memmove(base, base + self._head, length)
        self._head = 0
        self._tail = length
        return self._base + length

    cpdef append(self, object data):
        """The bytes as they are."""
        cdef const char *start = NULL
        cdef Py_ssize_t size = view(data, &start)
        memcpy(self._room(size), start, size)
        self._tail += size

    cpdef bulk(self, object data):
        """`$<length>`, the bytes, and their end of line."""
        cdef const char *start = NULL
        cdef Py_ssize_t size = view(data, &start)
        cdef char *place = self._room(size + NUMBER_CHARS + 5)
        cdef char *end = place
        end[0] = b"$"
        end += 1 + write_number(end + 1, size)
        end[0] = b"\r"
        end[1] = b"\n"
        memcpy(end + 2, start, size)
        end += 2 + size
        end[0] = b"\r"
        end[1] = b"\n"
        self._tail += end + 2 - place

    cpdef line(self, bytes sign, object text):
        """One line: the type's sign, a text without CR or LF, the end of line."""
        cdef const char *start = NULL
        cdef Py_ssize_t size = view(text, &start)
        cdef char *place = self._room(size + 3)
        place[0] = PyBytes_AS_STRING(sign)[0]
        memcpy(place + 1, start, size)
        place[size + 1] = b"\r"
        place[size + 2] = b"\n"
        self._tail += size + 3

    cpdef integer(self, object number):
        """`:<number>`."""
        cdef int overflow = 0
        cdef long long small = PyLong_AsLongLongAndOverflow(number, &overflow)
        if overflow != 0:
            self.line(b":", b"%d" % number)
        else:
            self._numbered(b":", small)

    cpdef header(self, bytes sign, Py_ssize_t count):
        """The start of an array `*`, a map `%`, a set `~` or a push `>`: how many elements or pairs follow."""
        self._numbered(PyBytes_AS_STRING(sign)[0], count)

    cdef inline _numbered(self, char sign, long long number):
        cdef char *place = self._room(NUMBER_CHARS + 3)
        cdef char *end = place
        end[0] = sign
        end += 1 + write_number(end + 1, number)
        end[0] = b"\r"
        end[1] = b"\n"
        self._tail += end + 2 - place

    cpdef truncate(self, Py_ssize_t length):
        """Takes back what was appended after the first `length` bytes."""
        self._tail = min(self._tail, self._head + max(length, 0))

    cpdef bytes peek(self, Py_ssize_t limit):
        """The first bytes, at most `limit`; they stay."""
        return PyBytes_FromStringAndSize(self._base + self._head, min(max(limit, 0), self._tail - self._head))

    cpdef bytes take(self, Py_ssize_t limit):
        """The first bytes, at most `limit`; they are gone."""
        cdef bytes taken = self.peek(limit)
        self.consume(len(taken))
        return taken

    cpdef consume(self, Py_ssize_t count):
        """Drops the first `count` bytes, which were sent."""
        if count < 0 or count > self._tail - self._head:
            raise ValueError("more bytes consumed than there are")
        self._head += count
        if self._head == self._tail:
            self._head = self._tail = 0
            if self._size > KEPT:
                PyMem_Free(self._base)
                self._base = NULL
                self._size = 0

    cpdef Py_ssize_t send(self, object target) except? -1:
        """Sends what the descriptor or socket takes now, at most about a megabyte: the bytes sent, or -1 for none.

        An integer descriptor is for POSIX and a socket in the clear; a socket object sends by its own means.
        """
        cdef Py_ssize_t sent, length = min(self._tail - self._head, SEND_LIMIT)
        if length == 0:
            return 0
        if isinstance(target, int):
            sent = alcove_send(target, self._base + self._head, length)
            if sent < 0:
                if alcove_would_block():
                    return -1
                PyErr_SetFromErrno(OSError)
        else:
            part = PyMemoryView_FromMemory(self._base + self._head, length, PyBUF_READ)
            try:
                sent = target.send(part)
            except BlockingIOError:
                return -1
            finally:
                part.release()
        self.consume(sent)
        return sent


cpdef recv(object source, Py_ssize_t limit):
    """What has come, at most `limit` bytes: `b""` when the peer has closed, None when there is nothing yet."""
    cdef Py_ssize_t got
    cdef PyObject *piece
    if not isinstance(source, int):
        try:
            return source.recv(limit)
        except BlockingIOError:
            return None
    if limit <= RECEIVE_SIZE:
        got = alcove_recv(source, received, limit)
        if got >= 0:
            return PyBytes_FromStringAndSize(received, got)
    else:
        piece = new_bytes(NULL, limit)
        got = alcove_recv(source, bytes_start(piece), limit)
        if got >= 0:
            _PyBytes_Resize(&piece, got)
            whole = <object>piece
            Py_DECREF(piece)
            return whole
        Py_DECREF(piece)
    if alcove_would_block():
        return None
    PyErr_SetFromErrno(OSError)
