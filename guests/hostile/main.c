/* All of it, or only the parts that the command line names: ports, memory, msrs, instructions, registers, long. */
#include "guests/hostile/hostile.h"

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{"instructions", hostile_instructions},
	{"registers", hostile_registers},
	{"msrs", hostile_msrs},
	{"ports", hostile_ports},
	{"memory", hostile_memory},
	{"long", hostile_long},
};

void guest_main(void)
{
	bool any = false;

	for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
		any = any || guest_word(parts[i].name);
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
		if (!any || guest_word(parts[i].name))
			parts[i].run();
	print("hostile: done\n");
}
