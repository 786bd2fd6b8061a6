/*
** Lists of unfinished tasks, in order of creation.
*/
#include "nest.h"
#include "pin.h"


static asy_task *task_at(lua_State *L, int list, lua_Integer i) {
  asy_task *t;
  lua_rawgeti(L, list, i);
  t = (asy_task *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  return t;
}


asy_task *asy_task_find(lua_State *L, asy_rt *rt) {
  asy_task *found = NULL;
  luaL_checkstack(L, 2, NULL);
  asy_pin_pushtable(L, rt);
  for (uint32_t slot = 1; slot <= rt->slots && found == NULL; slot++) {
    asy_task *t;
    lua_rawgeti(L, -1, slot);
    t = (asy_task *)asy_tokind(L, rt, -1, ASY_TASK);
    if (t != NULL && t->co != NULL && asy_nest_has(t->co, L))
      found = t;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return found;
}


/* A shell sort: slots are nearly in order, and no comparison can fail. */
void asy_task_sort(lua_State *L, int idx, uint32_t n) {
  idx = lua_absindex(L, idx);
  for (uint32_t gap = n / 2; gap > 0; gap /= 2) {
    for (uint32_t i = gap + 1; i <= n; i++) {
      uint32_t j = i;
      uint64_t id = task_at(L, idx, i)->id;
      lua_rawgeti(L, idx, i);
      for (; j > gap && task_at(L, idx, j - gap)->id > id; j -= gap) {
        lua_rawgeti(L, idx, j - gap);
        lua_rawseti(L, idx, j);
      }
      lua_rawseti(L, idx, j);
    }
  }
}


uint32_t asy_task_list(lua_State *L, asy_rt *rt, const asy_loop *loop) {
  uint32_t n = 0;
  int list;
  lua_newtable(L);
  list = lua_gettop(L);
  asy_pin_pushtable(L, rt);
  for (uint32_t slot = 1; slot <= rt->slots; slot++) {
    asy_task *t;
    lua_rawgeti(L, list + 1, slot);
    t = (asy_task *)asy_tokind(L, rt, -1, ASY_TASK);
    if (t != NULL && t->fut.slot == slot && t->fut.state == ASY_PENDING &&
        (loop == NULL || t->fut.loop == loop))
      lua_rawseti(L, list, ++n);
    else
      lua_pop(L, 1);
  }
  lua_settop(L, list);
  asy_task_sort(L, list, n);
  return n;
}
