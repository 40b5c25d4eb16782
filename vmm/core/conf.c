/* The keys of avatar.conf: a table, one row and one setter each. The text around them is read by conf_text.c. */
#include "vmm/core/conf.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/parse.h"
#include "kernel/lib/string.h"
#include "vmm/core/conf_keys.h"

#define MEMORY_MIN (1 * MIB)
#define MEMORY_MAX (512 * GIB)
#define MEMORY_DEFAULT (256 * MIB)
#define LOAD_ADDRESS_MAX (4 * GIB - 1)

/* A setter gets a value without leading or trailing blanks. It returns 0, or an error with what is allowed in `rule`. */
struct setting {
	struct vm_config *vm;
	const char *value;
	char *rule;
	size_t rule_size;
};

static int refuse(struct setting *s, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int refuse(struct setting *s, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fmt_vsnprintf(s->rule, s->rule_size, fmt, args);
	va_end(args);
	return err;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int copy_text(struct setting *s, char *dst, size_t size)
{
	size_t len = strlen(s->value);

	if (len >= size)
		return refuse(s, ERR_RANGE, "has %zu characters, allowed are %zu", len, size - 1);
	memcpy(dst, s->value, len + 1);
	return 0;
}

/* Up to `len` characters as a file's name: GRUB separates a module's words by blanks, so names have none. */
static int copy_file(struct setting *s, size_t len, char *dst)
{
	if (len == 0)
		return refuse(s, ERR_INVAL, "needs the name of a file");
	if (len >= VM_FILE_MAX)
		return refuse(s, ERR_RANGE, "the name has %zu characters, allowed are %u", len, VM_FILE_MAX - 1);
	for (size_t i = 0; i < len; i++)
		if (is_blank(s->value[i]))
			return refuse(s, ERR_INVAL, "a file's name without blanks is needed");
	memcpy(dst, s->value, len);
	dst[len] = '\0';
	return 0;
}

static int parse_flag(struct setting *s, bool *out)
{
	if (str_eq(s->value, "yes"))
		*out = true;
	else if (str_eq(s->value, "no"))
		*out = false;
	else
		return refuse(s, ERR_INVAL, "yes or no is needed");
	return 0;
}

static int set_kernel(struct setting *s)
{
	return copy_file(s, strlen(s->value), s->vm->kernel);
}

/* Empty: none, so that `create NAME like OTHER initrd=` can take it away. */
static int set_initrd(struct setting *s)
{
	if (s->value[0] == '\0') {
		s->vm->initrd[0] = '\0';
		return 0;
	}
	return copy_file(s, strlen(s->value), s->vm->initrd);
}

static int set_cmdline(struct setting *s)
{
	return copy_text(s, s->vm->cmdline, sizeof(s->vm->cmdline));
}

static int set_memory(struct setting *s)
{
	uint64_t bytes;

	if (parse_size(s->value, &bytes) != 0)
		return refuse(s, ERR_INVAL, "a size such as 256M is needed");
	if (bytes < MEMORY_MIN || bytes > MEMORY_MAX)
		return refuse(s, ERR_RANGE, "1M to 512G are allowed");
	if (!IS_ALIGNED(bytes, PAGE_SIZE))
		return refuse(s, ERR_ALIGN, "a multiple of 4K is needed");
	s->vm->memory = bytes;
	return 0;
}

static int set_cpus(struct setting *s)
{
	uint64_t n;

	if (parse_u64(s->value, &n) != 0 || n < 1 || n > VM_MAX_VCPUS)
		return refuse(s, ERR_RANGE, "a number from 1 to %u is needed", VM_MAX_VCPUS);
	s->vm->cpus = (unsigned)n;
	return 0;
}

static int set_weight(struct setting *s)
{
	uint64_t n;

	if (parse_u64(s->value, &n) != 0 || n < 1 || n > VM_WEIGHT_MAX)
		return refuse(s, ERR_RANGE, "a number from 1 to %u is needed", VM_WEIGHT_MAX);
	s->vm->weight = (uint32_t)n;
	return 0;
}

static int set_cap(struct setting *s)
{
	uint64_t n;

	if (parse_u64(s->value, &n) != 0 || n > VM_CAP_MAX)
		return refuse(s, ERR_RANGE, "percent of one CPU are needed, up to %u; 0 is no cap", VM_CAP_MAX);
	s->vm->cap = (uint32_t)n;
	return 0;
}

static int set_pin(struct setting *s)
{
	int err = parse_cpu_list(s->value, &s->vm->pins);

	return err ? refuse(s, err, "CPUs from 0 to 63 are needed, such as 0,2-3, or all") : 0;
}

static int set_autostart(struct setting *s)
{
	return parse_flag(s, &s->vm->autostart);
}

static int set_debug_exit(struct setting *s)
{
	return parse_flag(s, &s->vm->debug_exit);
}

static int set_unmapped(struct setting *s)
{
	if (str_eq(s->value, "stop"))
		s->vm->stray_stops = true;
	else if (str_eq(s->value, "ones"))
		s->vm->stray_stops = false;
	else
		return refuse(s, ERR_INVAL, "stop or ones is needed");
	return 0;
}

static int set_restart(struct setting *s)
{
	static const char *const words[] = {
		[RESTART_NO] = "no", [RESTART_ON_CRASH] = "on-crash", [RESTART_ALWAYS] = "always"};

	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		if (!str_eq(s->value, words[i]))
			continue;
		s->vm->restart = (enum vm_restart)i;
		return 0;
	}
	return refuse(s, ERR_INVAL, "no, on-crash or always is needed");
}

/* The first word is the file, the rest its string. */
static int set_module(struct setting *s)
{
	struct vm_module_config *m = &s->vm->modules[s->vm->module_count];
	size_t file_len = 0, args_len;
	const char *args;
	int err;

	if (s->vm->module_count == VM_MAX_MODULES)
		return refuse(s, ERR_FULL, "a VM has at most %u modules", VM_MAX_MODULES);
	while (s->value[file_len] != '\0' && !is_blank(s->value[file_len]))
		file_len++;
	args = s->value + file_len;
	while (is_blank(*args))
		args++;
	args_len = strlen(args);
	if (args_len >= sizeof(m->args))
		return refuse(s, ERR_RANGE, "the words behind the file have %zu characters, allowed are %zu", args_len,
			      sizeof(m->args) - 1);
	err = copy_file(s, file_len, m->file);
	if (err)
		return err;
	memcpy(m->args, args, args_len + 1);
	s->vm->module_count++;
	return 0;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       c == '.';
}

/* One "-name" of the list; *at moves behind it and a following comma. */
static int parse_hidden(struct setting *s, const char **at, char out[16])
{
	const char *p = *at;
	size_t len = 0;

	while (is_blank(*p))
		p++;
	if (*p++ != '-')
		return refuse(s, ERR_INVAL, "features to hide are needed, such as -fsrm,-avx2");
	while (is_name_char(p[len]))
		len++;
	if (len == 0 || len > 15)
		return refuse(s, ERR_INVAL, "a feature's name has 1 to 15 letters, digits, _ . or -");
	memcpy(out, p, len);
	out[len] = '\0';
	p += len;
	while (is_blank(*p))
		p++;
	if (*p != '\0' && *p++ != ',')
		return refuse(s, ERR_INVAL, "features are separated by commas: -fsrm,-avx2");
	*at = p;
	return 0;
}

/* The whole list anew; empty: nothing hidden. Which names there are is the CPUID policy's matter. */
static int set_cpuid(struct setting *s)
{
	char names[VM_MAX_CPUID_RULES][16];
	const char *at = s->value;
	unsigned count = 0;

	while (*at != '\0') {
		int err;

		if (count == VM_MAX_CPUID_RULES)
			return refuse(s, ERR_FULL, "at most %u features can be named", VM_MAX_CPUID_RULES);
		err = parse_hidden(s, &at, names[count++]);
		if (err)
			return err;
	}
	memcpy(s->vm->cpuid_hide, names, count * sizeof(names[0]));
	s->vm->cpuid_hide_count = count;
	return 0;
}

static int set_load_address(struct setting *s)
{
	uint64_t at;

	if (parse_size(s->value, &at) != 0 || at < 1 || at > LOAD_ADDRESS_MAX)
		return refuse(s, ERR_RANGE, "an address from 1 to 0xffffffff is needed");
	s->vm->load_address = at;
	return 0;
}

struct conf_key {
	const char *name;
	int (*set)(struct setting *s);
	bool repeats;
};

static const struct conf_key keys[] = {
	{"kernel", set_kernel, false},
	{"initrd", set_initrd, false},
	{"cmdline", set_cmdline, false},
	{"module", set_module, true},
	{"memory", set_memory, false},
	{"cpus", set_cpus, false},
	{"weight", set_weight, false},
	{"cap", set_cap, false},
	{"pin", set_pin, false},
	{"autostart", set_autostart, false},
	{"restart", set_restart, false},
	{"cpuid", set_cpuid, false},
	{"unmapped", set_unmapped, false},
	{"debug-exit", set_debug_exit, false},
	{"load-address", set_load_address, false},
};
static_assert(ARRAY_LEN(keys) <= 32, "conf_text.c keeps the keys it has seen in 32 bits");

int conf_key_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		if (str_eq(keys[i].name, name))
			return (int)i;
	return -1;
}

bool conf_key_repeats(int key)
{
	return keys[key].repeats;
}

const char *conf_key_name(unsigned i)
{
	return i < ARRAY_LEN(keys) ? keys[i].name : NULL;
}

/* Fill in what holds when the conf says nothing. */
void conf_defaults(struct vm_config *c)
{
	memset(c, 0, offsetof(struct vm_config, cmdline));
	c->cmdline[0] = '\0';
	c->memory = MEMORY_DEFAULT;
	c->cpus = 1;
	c->weight = VM_WEIGHT_DEFAULT;
	c->pins = VM_PINS_ALL;
	c->stray_stops = true;
}

/* Make one configuration like another: what is in use, some hundred bytes of 4 KiB. */
void conf_copy(struct vm_config *to, const struct vm_config *from)
{
	memcpy(to, from, offsetof(struct vm_config, cmdline));
	memcpy(to->cmdline, from->cmdline, strlen(from->cmdline) + 1);
	memcpy(to->modules, from->modules, from->module_count * sizeof(from->modules[0]));
	memcpy(to->cpuid_hide, from->cpuid_hide, from->cpuid_hide_count * sizeof(from->cpuid_hide[0]));
}

static int refuse_key(const char *key, char *why, size_t why_size)
{
	size_t len = 0;

	fmt_append(why, why_size, &len, "unknown key '%.32s'; known are", key);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		fmt_append(why, why_size, &len, "%s%s", i ? ", " : " ", keys[i].name);
	return ERR_NOENT;
}

/* Set one key of c.
 * Returns 0; ERR_NOENT (key), ERR_INVAL, ERR_RANGE, ERR_ALIGN, ERR_FULL (value): c is as before then, and why names key,
 * value and what is allowed.  Context: any. */
int conf_set(struct vm_config *c, const char *key, const char *value, char *why, size_t why_size)
{
	char rule[96] = "";
	struct setting s = {c, value, rule, sizeof(rule)};
	int index = conf_key_find(key);
	int err;

	if (why_size)
		why[0] = '\0';
	if (index < 0)
		return refuse_key(key, why, why_size);
	err = keys[index].set(&s);
	if (err)
		fmt_snprintf(why, why_size, "%s = %.40s%s: %s", key, value, strlen(value) > 40 ? "..." : "", rule);
	return err;
}

bool conf_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= VM_NAME_MAX || name[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(name[i]))
			return false;
	return true;
}

/* Is c fit to make a VM of?
 * Returns 0; ERR_INVAL with the reason in why.  Context: any. */
int conf_check(const struct vm_config *c, char *why, size_t why_size)
{
	const char *reason = NULL;

	if (!conf_name_ok(c->name))
		reason = "a VM's name has 1 to 31 letters, digits, _ . or -, and does not begin with -";
	else if (c->kernel[0] == '\0')
		reason = "kernel is missing: it names the file to start";
	else if (c->load_address && (c->initrd[0] || c->cmdline[0] || c->module_count))
		reason = "load-address makes the kernel a flat image, which takes no initrd, cmdline or module";
	else if (c->load_address >= c->memory && c->load_address < 3 * GIB)
		reason = "load-address lies above the VM's memory";
	if (!reason)
		return 0;
	fmt_snprintf(why, why_size, "%s", reason);
	return ERR_INVAL;
}
