/* The text of avatar.conf: lines, comments, sections, quotes. Any bytes may come; the result is VMs or one error that says
 * in which line and section. */
#include "vmm/core/conf.h"

#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/core/conf_keys.h"

#define KEY_MAX 32u
/* The longest value there can be, and then some, so that the setter says what its own limit is. */
#define VALUE_MAX (2u * VM_CMDLINE_MAX)

struct span {
	const char *at;
	size_t len;
};

struct conf_reader {
	struct span rest; /* lines not yet read */
	unsigned line;
	struct vm_config *vms;
	unsigned max;
	unsigned count;
	struct vm_config *vm; /* of this section; NULL before the first */
	unsigned vm_line;
	uint32_t seen; /* keys of this section */
	char *why;
	size_t why_size;
};

static int fail(struct conf_reader *r, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* "avatar.conf, line 7, [vm linux]: ..." */
static int fail(struct conf_reader *r, int err, const char *fmt, ...)
{
	size_t len = 0;
	va_list args;

	fmt_append(r->why, r->why_size, &len, "avatar.conf, line %u", r->line);
	if (r->vm)
		fmt_append(r->why, r->why_size, &len, ", [vm %s]", r->vm->name);
	fmt_append(r->why, r->why_size, &len, ": ");
	va_start(args, fmt);
	if (len < r->why_size)
		fmt_vsnprintf(r->why + len, r->why_size - len, fmt, args);
	va_end(args);
	return err;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
	while (s.len && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

/* The next line without its end, which is LF or CR LF. */
static bool next_line(struct conf_reader *r, struct span *line)
{
	const char *end;

	if (r->rest.len == 0)
		return false;
	end = memchr(r->rest.at, '\n', r->rest.len);
	line->at = r->rest.at;
	line->len = end ? (size_t)(end - r->rest.at) : r->rest.len;
	r->rest.at += line->len + (end ? 1 : 0);
	r->rest.len -= line->len + (end ? 1 : 0);
	if (line->len && line->at[line->len - 1] == '\r')
		line->len--;
	r->line++;
	return true;
}

/* Cut the line before a comment: # or ; at its begin or behind a blank, and not inside double quotes. */
static int strip_comment(struct conf_reader *r, struct span *line)
{
	bool quoted = false;

	for (size_t i = 0; i < line->len; i++) {
		char c = line->at[i];

		if ((unsigned char)c < ' ' && c != '\t')
			return fail(r, ERR_FORMAT, "control character 0x%02x", (unsigned char)c);
		if (c == '"')
			quoted = !quoted;
		if (!quoted && (c == '#' || c == ';') && (i == 0 || is_blank(line->at[i - 1]))) {
			line->len = i;
			break;
		}
	}
	/* In a comment quotes mean nothing; one open here was open before it. */
	return quoted ? fail(r, ERR_FORMAT, "a quote is opened and not closed") : 0;
}

static int copy_span(char *dst, size_t size, struct span s)
{
	if (s.len >= size)
		return ERR_RANGE;
	memcpy(dst, s.at, s.len);
	dst[s.len] = '\0';
	return 0;
}

static int end_section(struct conf_reader *r)
{
	char reason[128];

	if (!r->vm || conf_check(r->vm, reason, sizeof(reason)) == 0)
		return 0;
	r->line = r->vm_line;
	return fail(r, ERR_INVAL, "%s", reason);
}

/* [vm NAME] */
static int begin_section(struct conf_reader *r, struct span line)
{
	struct span inner = trim((struct span){line.at + 1, line.len - 2});
	char name[VM_NAME_MAX];
	int shown = inner.len < 40 ? (int)inner.len : 40;
	int err = end_section(r);

	if (err)
		return err;
	r->vm = NULL;
	if (inner.len < 3 || memcmp(inner.at, "vm", 2) != 0 || !is_blank(inner.at[2]))
		return fail(r, ERR_FORMAT, "unknown section [%.*s]; known is [vm NAME]", shown, inner.at);
	inner = trim((struct span){inner.at + 2, inner.len - 2});
	if (copy_span(name, sizeof(name), inner) != 0 || !conf_name_ok(name))
		return fail(
			r, ERR_INVAL,
			"'%.*s' cannot be a VM's name: it has 1 to %u letters, digits, _ . or -, and does not begin with -",
			inner.len < 40 ? (int)inner.len : 40, inner.at, VM_NAME_MAX - 1);
	for (unsigned i = 0; i < r->count; i++)
		if (str_eq(r->vms[i].name, name))
			return fail(r, ERR_EXIST, "there is a [vm %s] already", name);
	if (r->count == r->max)
		return fail(r, ERR_FULL, "[vm %s] is one too many: %u VMs are allowed", name, r->max);
	r->vm = &r->vms[r->count++];
	conf_defaults(r->vm);
	memcpy(r->vm->name, name, sizeof(name));
	r->vm_line = r->line;
	r->seen = 0;
	return 0;
}

/* A value that stands in quotes as a whole loses them. */
static struct span unquote(struct span value)
{
	if (value.len >= 2 && value.at[0] == '"' &&
	    memchr(value.at + 1, '"', value.len - 1) == value.at + value.len - 1)
		return (struct span){value.at + 1, value.len - 2};
	return value;
}

static int set_key(struct conf_reader *r, const char *key, const char *value)
{
	char reason[CONF_WHY_BYTES - 64];
	int index = conf_key_find(key);
	int err;

	if (index >= 0 && (r->seen >> index & 1) && !conf_key_repeats(index))
		return fail(r, ERR_EXIST, "%s stands twice in this section", key);
	err = conf_set(r->vm, key, value, reason, sizeof(reason));
	if (err)
		return fail(r, err, "%s", reason);
	r->seen |= BIT32((unsigned)index);
	return 0;
}

static int read_assignment(struct conf_reader *r, struct span line)
{
	const char *equals = memchr(line.at, '=', line.len);
	char key[KEY_MAX], value[VALUE_MAX];
	struct span k, v;

	if (!equals)
		return fail(r, ERR_FORMAT, "'%.*s' is neither [vm NAME] nor KEY = VALUE",
			    line.len < 40 ? (int)line.len : 40, line.at);
	if (!r->vm)
		return fail(r, ERR_FORMAT, "a key before the first [vm NAME]");
	k = trim((struct span){line.at, (size_t)(equals - line.at)});
	v = unquote(trim((struct span){equals + 1, line.len - (size_t)(equals + 1 - line.at)}));
	if (copy_span(key, sizeof(key), k) != 0)
		return fail(r, ERR_RANGE, "unknown key '%.*s...'", 24, k.at);
	if (copy_span(value, sizeof(value), v) != 0)
		return fail(r, ERR_RANGE, "%s = %.*s...: has %zu characters, no value may have more than %u", key, 24,
			    v.at, v.len, VALUE_MAX - 1);
	return set_key(r, key, value);
}

static int read_line(struct conf_reader *r, struct span line)
{
	int err = strip_comment(r, &line);

	if (err)
		return err;
	line = trim(line);
	if (line.len == 0)
		return 0;
	if (line.at[0] == '[' && line.at[line.len - 1] == ']' && line.len >= 2)
		return begin_section(r, line);
	if (line.at[0] == '[')
		return fail(r, ERR_FORMAT, "a section without ]");
	return read_assignment(r, line);
}

/* Read a conf.
 * text, len: any bytes.  vms, max: where the VMs go, in the order of the text.  *count: how many there are.
 * Returns 0; ERR_FORMAT, ERR_EXIST, ERR_FULL, or an error of conf_set() or conf_check(): *count is 0 then, vms is undefined,
 * and why says line, section, key, value and what is allowed.  Context: any. */
int conf_parse(const char *text, size_t len, struct vm_config *vms, unsigned max, unsigned *count, char *why,
	       size_t why_size)
{
	struct conf_reader r = {.rest = {text, len}, .vms = vms, .max = max, .why = why, .why_size = why_size};
	struct span line;
	int err = 0;

	if (why_size)
		why[0] = '\0';
	*count = 0;
	/* Some editors begin a file with UTF-8's byte-order mark. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.rest = (struct span){text + 3, len - 3};
	while (!err && next_line(&r, &line))
		err = read_line(&r, line);
	if (!err)
		err = end_section(&r);
	if (!err)
		*count = r.count;
	return err;
}
