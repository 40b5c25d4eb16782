/* A doubly linked list whose links stand inside the elements. The head is a link of its own; the list is circular, so no
 * operation has a special case. An element that is in no list points to itself. */
#pragma once

#include "kernel/lib/compiler.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* Put item, which is in no list, behind at; behind the head is the front. */
static inline void list_add_after(struct list *at, struct list *item)
{
	item->prev = at;
	item->next = at->next;
	at->next->prev = item;
	at->next = item;
}

static inline void list_add_front(struct list *head, struct list *item)
{
	list_add_after(head, item);
}

static inline void list_add_back(struct list *head, struct list *item)
{
	list_add_after(head->prev, item);
}

/* Take item out of its list; harmless when it is in none. */
static inline void list_remove(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

/* The first link, or NULL. */
static inline struct list *list_first(const struct list *head)
{
	return list_empty(head) ? NULL : head->next;
}

/* Over all links; the body must not remove `pos`. */
#define LIST_FOR_EACH(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)

/* Over all links; the body may remove `pos`, and nothing else. */
#define LIST_FOR_EACH_SAFE(pos, tmp, head)                                                                             \
	for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head); pos = tmp, tmp = pos->next)
