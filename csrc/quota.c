/*
** Groups lie in one another, and each may have a limit. Version 2 of them has all
** in one tree; in version 1 the processor has a tree of its own. Inside of a
** container the path of the group may be that outside, where there is nothing:
** so what is missing is passed over, up to the root.
*/
#include "quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096


/* A file of a group, of those that stand in a directory. */
typedef struct group_file {
  const char *root, *tree;
  const char *group; /* begins with a slash */
  size_t len;        /* of that part of it */
} group_file;


/* Reads one line; false if there is no such file. */
static bool read_line(const group_file *g, const char *name, char *line,
                      int size) {
  char path[PATH_SIZE];
  FILE *f;
  bool ok;
  int n = snprintf(path, sizeof(path), "%s/sys/fs/cgroup%s%.*s/%s", g->root,
                   g->tree, (int)g->len, g->group, name);
  if (n < 0 || (size_t)n >= sizeof(path))
    return false;
  f = fopen(path, "re");
  if (f == NULL)
    return false;
  ok = fgets(line, size, f) != NULL;
  fclose(f);
  return ok;
}


/* What is no number ("max"), or none above 0 (-1), is no limit: 0. */
static double ratio(double quota, double period) {
  return quota > 0 && period > 0 ? quota / period : 0;
}


static double quota_v2(const group_file *g) {
  char line[64], *end;
  double quota;
  if (!read_line(g, "cpu.max", line, sizeof(line)))
    return 0;
  quota = strtod(line, &end);
  return ratio(quota, strtod(end, NULL));
}


static double quota_v1(const group_file *g) {
  char quota[64], period[64];
  if (!read_line(g, "cpu.cfs_quota_us", quota, sizeof(quota)) ||
      !read_line(g, "cpu.cfs_period_us", period, sizeof(period)))
    return 0;
  return ratio(strtod(quota, NULL), strtod(period, NULL));
}


static double least(double a, double b) {
  return a == 0 || (b != 0 && b < a) ? b : a;
}


/* The limit of the group and of all above it. */
static double quota_of(group_file *g, double (*limit)(const group_file *g)) {
  double quota = 0;
  g->len = strlen(g->group);
  for (;;) {
    while (g->len > 0 && g->group[g->len - 1] == '/')
      g->len--;
    quota = least(quota, limit(g));
    if (g->len == 0)
      return quota;
    while (g->len > 0 && g->group[g->len - 1] != '/')
      g->len--;
  }
}


/* Whether the controller is one of those, which commas separate. */
static bool has_cpu(const char *controllers) {
  for (const char *at = controllers; at != NULL; at = strchr(at, ',')) {
    at += *at == ',';
    if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0'))
      return true;
  }
  return false;
}


/* A line of /proc/self/cgroup: "number:controllers:path". */
static double quota_of_line(const char *root, char *line) {
  group_file g = {root, "", NULL, 0};
  char *controllers = strchr(line, ':'), *path;
  line[strcspn(line, "\n")] = '\0';
  if (controllers == NULL || (path = strchr(++controllers, ':')) == NULL)
    return 0;
  *path++ = '\0';
  g.group = path;
  if (*path != '/')
    return 0;
  if (*controllers == '\0')
    return quota_of(&g, quota_v2);
  if (!has_cpu(controllers))
    return 0;
  g.tree = "/cpu";
  return quota_of(&g, quota_v1);
}


double asy_quota_get(const char *root) {
  char line[PATH_SIZE];
  double quota = 0;
  FILE *f;
  int n = snprintf(line, sizeof(line), "%s/proc/self/cgroup", root);
  if (n < 0 || (size_t)n >= sizeof(line) || (f = fopen(line, "re")) == NULL)
    return 0;
  while (fgets(line, sizeof(line), f) != NULL)
    quota = least(quota, quota_of_line(root, line));
  fclose(f);
  return quota;
}


/* Rounded down, as libuv does. */
unsigned asy_quota_limit(unsigned n) {
#if defined(__linux__)
  if (uv_version() < ((1 << 16) | (49 << 8))) {
    double quota = asy_quota_get("");
    if (quota > 0 && quota < n)
      n = quota < 1 ? 1 : (unsigned)quota;
  }
#endif
  return n;
}


/* cpu_quota(root): the quota as a number, or nil */
static int cpu_quota(lua_State *L) {
  double quota = asy_quota_get(luaL_checkstring(L, 1));
  if (quota > 0)
    lua_pushnumber(L, quota);
  else
    lua_pushnil(L);
  return 1;
}


void asy_quota_open(lua_State *L) {
  static const luaL_Reg funcs[] = {{"cpu_quota", cpu_quota}, {NULL, NULL}};
  asy_setfuncs(L, funcs);
}
