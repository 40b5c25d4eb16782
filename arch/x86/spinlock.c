/* The checks on locks, which builds with DEBUG=1 make: see spinlock.h. */
#include "arch/x86/spinlock.h"

#include "arch/x86/percpu.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/format.h"

static const char *name_of(const struct spinlock *l)
{
	return l->name != NULL ? l->name : "without a name";
}

/* One buffer for each CPU would be nicer; two that break a rule at once are one too many anyway. */
_Noreturn static void broken(const struct spinlock *l, const char *rule, const struct spinlock *other)
{
	static char text[128];

	fmt_snprintf(text, sizeof(text), "lock %s (%p) %s%s", name_of(l), (const void *)l, rule,
		     other == NULL ? "" : name_of(other));
	assert_failed(text);
}

void lock_check_take(const struct spinlock *l)
{
	const struct percpu *cpu = this_cpu();
	const struct spinlock *other = locks_conflict(&cpu->locks, l);

	if (cpu->in_nmi)
		broken(l, "is taken by an NMI handler", NULL);
	if (other == l)
		broken(l, "is taken by the CPU that holds it", NULL);
	if (other != NULL)
		broken(l, "is taken while holding lock ", other);
}

void lock_check_taken(struct spinlock *l)
{
	struct percpu *cpu = this_cpu();

	if (l->owner != 0)
		broken(l, "was given to two CPUs", NULL);
	l->owner = cpu->index + 1;
	if (!locks_add(&cpu->locks, l))
		broken(l, "is one more than a CPU may hold", NULL);
}

void lock_check_release(struct spinlock *l)
{
	struct percpu *cpu = this_cpu();

	if (l->owner != cpu->index + 1 || !locks_remove(&cpu->locks, l))
		broken(l, "is released by a CPU that does not hold it", NULL);
	l->owner = 0;
}

void lock_check_none_held(void)
{
	const struct locks_held *h = &this_cpu()->locks;

	if (h->count != 0)
		broken(h->lock[0], "is held where none may be", NULL);
}
