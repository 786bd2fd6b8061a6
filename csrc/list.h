/*
** Intrusive doubly linked lists. A node that is in no list has a NULL 'next',
** so zeroed memory is a set of unlinked nodes; nothing here allocates.
*/
#ifndef asy_list_h
#define asy_list_h

#include <stdbool.h>
#include <stddef.h>

/* The address of the struct of type 'type' whose member 'm' is at 'ptr'. */
#define asy_of(ptr, type, m) ((type *)((char *)(ptr)-offsetof(type, m)))

typedef struct asy_list {
  struct asy_list *next, *prev;
} asy_list;

static inline void asy_list_init(asy_list *head) {
  head->next = head->prev = head;
}

static inline bool asy_list_empty(const asy_list *head) {
  return head->next == head;
}

static inline bool asy_list_linked(const asy_list *node) {
  return node->next != NULL;
}

/* Puts 'node' at the end of the list: first in, first out. */
static inline void asy_list_append(asy_list *head, asy_list *node) {
  node->next = head;
  node->prev = head->prev;
  head->prev->next = node;
  head->prev = node;
}

static inline void asy_list_prepend(asy_list *head, asy_list *node) {
  asy_list_append(head->next, node);
}

/* Takes 'node' out of its list; one that is in no list stays as it is. */
static inline void asy_list_remove(asy_list *node) {
  if (node->next == NULL)
    return;
  node->prev->next = node->next;
  node->next->prev = node->prev;
  node->next = node->prev = NULL;
}

/* Moves all nodes of 'from' to the empty list 'to'. */
static inline void asy_list_move(asy_list *to, asy_list *from) {
  asy_list_init(to);
  if (asy_list_empty(from))
    return;
  *to = *from;
  to->next->prev = to;
  to->prev->next = to;
  asy_list_init(from);
}

#endif
