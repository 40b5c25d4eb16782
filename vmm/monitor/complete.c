/* What Tab offers: commands, then what the command takes. */
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/core/conf.h"
#include "vmm/monitor/info.h"
#include "vmm/monitor/monitor.h"

typedef void add_fn(void *ctx, const char *word);

static void add_commands(add_fn *add, void *ctx)
{
	for (const struct command *c = monitor_commands; c->name != NULL; c++)
		add(ctx, c->name);
}

static void add_vms(const struct monitor *m, const char *before, add_fn *add, void *ctx)
{
	char word[VM_NAME_MAX + 16];

	for (unsigned i = 0; i < m->host->vm_count; i++) {
		fmt_snprintf(word, sizeof(word), "%s%s", before, m->host->vms[i]->config.name);
		add(ctx, word);
	}
}

static void add_files(const struct monitor *m, const char *before, add_fn *add, void *ctx)
{
	char word[VM_FILE_MAX + 16];

	for (unsigned i = 0; i < m->host->images.count; i++) {
		fmt_snprintf(word, sizeof(word), "%s%s", before, m->host->images.images[i].name);
		add(ctx, word);
	}
}

static bool ends_with_word(const char *line, const char *word)
{
	size_t len = strlen(line), word_len = strlen(word);

	while (len > 0 && line[len - 1] == ' ')
		len--;
	return len > word_len && line[len - word_len - 1] == ' ' && memcmp(line + len - word_len, word, word_len) == 0;
}

/* KEY= and, behind those that name a file or a VM, its values; the latter behind the word `like` as well. */
static void add_create(const struct monitor *m, bool after_like, const char *prefix, add_fn *add, void *ctx)
{
	static const char *const files[] = {"kernel=", "initrd=", "module="};
	const char *key;
	char word[32];

	for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
		if (str_starts(prefix, files[i])) {
			add_files(m, files[i], add, ctx);
			return;
		}
	}
	if (after_like || str_starts(prefix, "like=")) {
		add_vms(m, after_like ? "" : "like=", add, ctx);
		return;
	}
	add(ctx, "like");
	for (unsigned i = 0; (key = conf_key_name(i)) != NULL; i++) {
		fmt_snprintf(word, sizeof(word), "%s=", key);
		add(ctx, word);
	}
}

/* The first word of a line, and how many words it has. */
static unsigned line_words(const char *line, char *first, size_t first_size)
{
	unsigned count = 0;
	size_t len = 0;

	while (*line != '\0') {
		while (*line == ' ')
			line++;
		if (*line == '\0')
			break;
		for (; *line != '\0' && *line != ' '; line++) {
			if (count == 0 && len + 1 < first_size)
				first[len++] = *line;
		}
		count++;
	}
	first[len] = '\0';
	return count;
}

void monitor_complete(void *monitor, const char *line, const char *prefix, add_fn *add, void *ctx2)
{
	const struct monitor *m = monitor;
	char name[16];
	unsigned words = line_words(line, name, sizeof(name));
	const struct command *c = words == 0 ? NULL : monitor_command(name);

	if (words == 0)
		add_commands(add, ctx2);
	if (c != NULL && c->complete == ARGS_CREATE && words >= 2)
		add_create(m, words >= 3 && ends_with_word(line, "like"), prefix, add, ctx2);
	if (c == NULL || words != 1)
		return;
	if (c->complete == ARGS_VM || c->complete == ARGS_INFO)
		add_vms(m, "", add, ctx2);
	if (c->complete == ARGS_COMMAND)
		add_commands(add, ctx2);
	for (unsigned i = 0; c->complete == ARGS_INFO && info_subjects[i].name != NULL; i++)
		add(ctx2, info_subjects[i].name);
	if (c->complete == ARGS_SWITCH) {
		add(ctx2, "on");
		add(ctx2, "off");
	}
}
