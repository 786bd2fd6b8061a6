/*
** Exception classes and objects. A class is a table that is the metatable of
** its instances; an instance is a table with a 'message'.
*/
#ifndef asy_error_h
#define asy_error_h

#include "runtime.h"

/* Makes the classes and adds them to the table on the top. */
void asy_error_open(lua_State *L);

/* Pushes the class. */
void asy_error_class(lua_State *L, asy_rt *rt, asy_class cls);

/* Pushes a new exception whose message is the value on the top, which it
** replaces; nil makes one without a message. */
void asy_error_wrap(lua_State *L, asy_rt *rt, asy_class cls);

/* Pushes a new exception with a message; the formats are lua_pushfstring's. */
void asy_error_push(lua_State *L, asy_rt *rt, asy_class cls, const char *fmt,
                    ...);

/* Raises such an exception. That of a wrong state (RuntimeError,
** InvalidStateError) says where the calling Lua function is, as Lua's own errors
** do. Returns nothing; 'int' is for 'return raise(...)'. */
int asy_error_raise(lua_State *L, asy_class cls, const char *fmt, ...);

/* Raises Lua's error for want of memory in C. */
asy_noreturn void asy_error_memory(lua_State *L);

/* Pushes an OSError for a libuv error code: "<syscall> <what>: connection
** refused (ECONNREFUSED)"; 'what', an address, may be NULL. */
void asy_error_os(lua_State *L, asy_rt *rt, int err, const char *syscall,
                  const char *what);

/* The same where 'what' is no address: it is in the error's field 'field'. */
void asy_error_osof(lua_State *L, asy_rt *rt, int err, const char *syscall,
                    const char *field, const char *what);

/* Whether the value at 'idx' is an instance of the class or of one below it.
** Safe on any value, never raises. */
bool asy_error_is(lua_State *L, asy_rt *rt, int idx, asy_class cls);

/* Whether it is a CancelledError or a KeyboardInterrupt, which the library's
** protected calls let pass: Python's BaseException that is no Exception. */
bool asy_error_passes(lua_State *L, asy_rt *rt, int idx);

/* Whether the value at 'idx' is an instance of any exception class. */
bool asy_error_isany(lua_State *L, asy_rt *rt, int idx);

/* Whether the value at 'idx' is an exception class: Error or one below it. */
bool asy_error_isclass(lua_State *L, asy_rt *rt, int idx);

/* isinstance for a class at 'cls', which is a table, and any value. */
bool asy_error_isinstance(lua_State *L, int idx, int cls);

/* Raises an argument error unless the argument is a class or a list of some. */
void asy_error_checkclasses(lua_State *L, int arg);

/* Whether the value at 'idx' is an instance of what that argument names. */
bool asy_error_isoneof(lua_State *L, int idx, int classes);

/* If the value at 'idx' is a class of exceptions, replaces it by an instance. */
void asy_error_instantiate(lua_State *L, asy_rt *rt, int idx);

/* Pushes the value at 'idx' as text for people; the __tostring of an error value
** may raise itself. */
const char *asy_error_text(lua_State *L, int idx);

/* Pushes a new class; its name and base (a class or nil) are at the indices. */
void asy_error_newclass(lua_State *L, asy_rt *rt, int name, int base);

/* {====== Classes by name: errname.c ====== */

void asy_error_openchains(lua_State *L, asy_rt *rt);

/* Pushes the names of the class and of those above it, as one string. */
void asy_error_pushchain(lua_State *L, int idx);

/* The class on the top is what that string now stands for. */
void asy_error_register(lua_State *L, asy_rt *rt);

/* Replaces the string on the top by its class; makes what is missing. */
void asy_error_ofchain(lua_State *L, asy_rt *rt);

/* }====== */

/* Replaces nil at the top by Lua 5.5's "<no error object>". */
void asy_error_nonil(lua_State *L);

#endif
