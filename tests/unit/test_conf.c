/* avatar.conf: what is understood, and the words for everything that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "vmm/core/conf.h"

#define MAX 3u

static struct vm_config vms[MAX];
static unsigned count;
static char why[CONF_WHY_BYTES];

static int parse(const char *text)
{
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1); /* no terminator: a read behind the end is seen */
	int err;

	memcpy(exact, text, len);
	memset(why, 'x', sizeof(why));
	count = 77;
	err = conf_parse(exact, len, vms, MAX, &count, why, sizeof(why));
	assert_int_equal(err != 0, why[0] != '\0');
	if (err)
		assert_int_equal(count, 0);
	free(exact);
	return err;
}

static void good(const char *text, unsigned expected)
{
	if (parse(text) != 0)
		fail_msg("refused: %s", why);
	assert_int_equal(count, expected);
}

static void bad(const char *text, int err, const char *words)
{
	static const char file[] = "avatar.conf, ";
	int got = parse(text);

	assert_memory_equal(why, file, sizeof(file) - 1);
	memmove(why, why + sizeof(file) - 1, strlen(why) - sizeof(file) + 2);
	if (got != err || strcmp(why, words) != 0)
		fail_msg("for \"%s\"\nexpected %d \"%s\"\ngot      %d \"%s\"", text, err, words, got, why);
}

static void test_example(void **state)
{
	(void)state;
	good("# the example of the documentation\n"
	     "\n"
	     "[vm linux]\n"
	     "kernel    = vmlinuz            # bzImage, ELF, or flat\n"
	     "initrd    = initrd.img\n"
	     "cmdline   = console=ttyS0\n"
	     "memory    = 256M\n"
	     "cpus      = 2\n"
	     "autostart = yes\n",
	     1);
	assert_string_equal(vms[0].name, "linux");
	assert_string_equal(vms[0].kernel, "vmlinuz");
	assert_string_equal(vms[0].initrd, "initrd.img");
	assert_string_equal(vms[0].cmdline, "console=ttyS0");
	assert_int_equal(vms[0].memory, 256 * MIB);
	assert_int_equal(vms[0].cpus, 2);
	assert_int_equal(vms[0].weight, 256);
	assert_int_equal(vms[0].cap, 0);
	assert_true(vms[0].pins == UINT64_MAX);
	assert_true(vms[0].autostart);
	assert_false(vms[0].debug_exit);
	assert_true(vms[0].stray_stops);
	assert_int_equal(vms[0].restart, RESTART_NO);
	assert_int_equal(vms[0].module_count, 0);
	assert_int_equal(vms[0].cpuid_hide_count, 0);
	assert_int_equal(vms[0].load_address, 0);
}

static void test_defaults(void **state)
{
	(void)state;
	good("[vm a]\nkernel=k", 1);
	assert_int_equal(vms[0].memory, 256 * MIB);
	assert_int_equal(vms[0].cpus, 1);
	assert_false(vms[0].autostart);
	good("", 0);
	good("\n\n  \t\n# only\n; comments", 0);
}

static void test_all_keys(void **state)
{
	(void)state;
	good("[vm a]\nkernel = sub/dir/k.elf\nmodule = one\nmodule=two  a b=c  d\nmemory=0x400000\nrestart=on-crash\n"
	     "cpuid = -fsrm, -avx2 ,-x2apic\ndebug-exit=yes\nunmapped=ones\nautostart=no\nweight=65535\ncap=6400\npin=0,2-3,63\n"
	     "[vm b.2_x-y]\r\nkernel=flat.bin\r\nload-address=0x7c00\r\nrestart=always\r\nmemory=1G\r\n"
	     "[ vm\tc ]\nkernel=k\nweight=1\ncap=0\npin=all\nrestart=no\nunmapped=stop\ninitrd=\ncmdline=\ncpuid=\n",
	     3);
	assert_int_equal(vms[0].module_count, 2);
	assert_string_equal(vms[0].modules[0].file, "one");
	assert_string_equal(vms[0].modules[0].args, "");
	assert_string_equal(vms[0].modules[1].file, "two");
	assert_string_equal(vms[0].modules[1].args, "a b=c  d");
	assert_int_equal(vms[0].memory, 0x400000);
	assert_int_equal(vms[0].restart, RESTART_ON_CRASH);
	assert_int_equal(vms[0].cpuid_hide_count, 3);
	assert_string_equal(vms[0].cpuid_hide[0], "fsrm");
	assert_string_equal(vms[0].cpuid_hide[1], "avx2");
	assert_string_equal(vms[0].cpuid_hide[2], "x2apic");
	assert_true(vms[0].debug_exit);
	assert_false(vms[0].stray_stops);
	assert_int_equal(vms[0].weight, 65535);
	assert_int_equal(vms[0].cap, 6400);
	assert_true(vms[0].pins == (BIT64(63) | 0xd));
	assert_string_equal(vms[1].name, "b.2_x-y");
	assert_int_equal(vms[1].load_address, 0x7c00);
	assert_int_equal(vms[1].restart, RESTART_ALWAYS);
	assert_int_equal(vms[1].memory, GIB);
	assert_string_equal(vms[2].name, "c");
	assert_int_equal(vms[2].weight, 1);
	assert_int_equal(vms[2].cap, 0);
	assert_true(vms[2].pins == UINT64_MAX);
	assert_true(vms[2].stray_stops);
}

static void test_comments_and_quotes(void **state)
{
	(void)state;
	good("[vm a] # comment\nkernel=k;no ; comment\ncmdline = a#b \"c # d\" e=\"f ; g\"  # \"comment\n", 1);
	assert_string_equal(vms[0].kernel, "k;no");
	assert_string_equal(vms[0].cmdline, "a#b \"c # d\" e=\"f ; g\"");
	good("[vm a]\nkernel=\"k\"\ncmdline = \"  all of it # in quotes \"\n", 1);
	assert_string_equal(vms[0].kernel, "k");
	assert_string_equal(vms[0].cmdline, "  all of it # in quotes ");
	good("[vm a]\nkernel=k\ncmdline = \"one\" \"two\"\n", 1);
	assert_string_equal(vms[0].cmdline, "\"one\" \"two\"");
	good("[vm a]\nkernel=k\ncmdline = \"\"\n", 1);
	assert_string_equal(vms[0].cmdline, "");
	good("[vm a]\nkernel=k\ncmdline = x=y=z\n", 1);
	assert_string_equal(vms[0].cmdline, "x=y=z");
	good("\xef\xbb\xbf[vm a]\nkernel=k", 1);
}

static void test_bad_lines(void **state)
{
	(void)state;
	bad("[vm a]\nkernel=k\nmemry = 5\n", ERR_NOENT,
	    "line 3, [vm a]: unknown key 'memry'; known are kernel, initrd, cmdline, module, memory, cpus, weight, cap, pin, "
	    "autostart, restart, cpuid, unmapped, debug-exit, load-address");
	bad("[vm a]\nthis_is_a_key_that_is_much_too_long_for_us=1\n", ERR_RANGE,
	    "line 2, [vm a]: unknown key 'this_is_a_key_that_is_mu...'");
	bad("kernel=k\n", ERR_FORMAT, "line 1: a key before the first [vm NAME]");
	bad("[vm a]\nkernel\n", ERR_FORMAT, "line 2, [vm a]: 'kernel' is neither [vm NAME] nor KEY = VALUE");
	bad("[vm a]\n= 5\n", ERR_NOENT,
	    "line 2, [vm a]: unknown key ''; known are kernel, initrd, cmdline, module, memory, cpus, weight, cap, pin, "
	    "autostart, restart, cpuid, unmapped, debug-exit, load-address");
	bad("[vm a\nkernel=k\n", ERR_FORMAT, "line 1: a section without ]");
	bad("[", ERR_FORMAT, "line 1: a section without ]");
	bad("[]", ERR_FORMAT, "line 1: unknown section []; known is [vm NAME]");
	bad("[avatar]\n", ERR_FORMAT, "line 1: unknown section [avatar]; known is [vm NAME]");
	bad("[vm]\n", ERR_FORMAT, "line 1: unknown section [vm]; known is [vm NAME]");
	bad("[vmx a]\n", ERR_FORMAT, "line 1: unknown section [vmx a]; known is [vm NAME]");
	bad("[vm a b]\n", ERR_INVAL,
	    "line 1: 'a b' cannot be a VM's name: it has 1 to 31 letters, digits, _ . or -, and does not begin with -");
	bad("[vm -a]\n", ERR_INVAL,
	    "line 1: '-a' cannot be a VM's name: it has 1 to 31 letters, digits, _ . or -, and does not begin with -");
	bad("[vm 12345678901234567890123456789012]\n", ERR_INVAL,
	    "line 1: '12345678901234567890123456789012' cannot be a VM's name: it has 1 to 31 letters, digits, _ . or -, and does "
	    "not begin with -");
	bad("[vm a]\nkernel=k\n\n[vm a]\nkernel=k\n", ERR_EXIST, "line 4: there is a [vm a] already");
	bad("[vm a]\nkernel=k\n[vm b]\nkernel=k\n[vm c]\nkernel=k\n[vm d]\n", ERR_FULL,
	    "line 7: [vm d] is one too many: 3 VMs are allowed");
	bad("[vm a]\nkernel=k\nkernel=l\n", ERR_EXIST, "line 3, [vm a]: kernel stands twice in this section");
	bad("[vm a]\ncmdline = \"open\nkernel=k\n", ERR_FORMAT, "line 2, [vm a]: a quote is opened and not closed");
	bad("[vm a]\nkernel=k\x01\n", ERR_FORMAT, "line 2, [vm a]: control character 0x01");
	bad("[vm a]\nkernel=\rk\n", ERR_FORMAT, "line 2, [vm a]: control character 0x0d");
}

static void test_bad_values(void **state)
{
	(void)state;
#define BAD(line, err, words) bad("[vm a]\n" line "\nkernel=k\n", err, "line 2, [vm a]: " words)
	BAD("memory=", ERR_INVAL, "memory = : a size such as 256M is needed");
	BAD("memory=lots", ERR_INVAL, "memory = lots: a size such as 256M is needed");
	BAD("memory=-1M", ERR_INVAL, "memory = -1M: a size such as 256M is needed");
	BAD("memory=256 M", ERR_INVAL, "memory = 256 M: a size such as 256M is needed");
	BAD("memory=99999999999999999999", ERR_INVAL, "memory = 99999999999999999999: a size such as 256M is needed");
	BAD("memory=0", ERR_RANGE, "memory = 0: 1M to 512G are allowed");
	BAD("memory=1023K", ERR_RANGE, "memory = 1023K: 1M to 512G are allowed");
	BAD("memory=513G", ERR_RANGE, "memory = 513G: 1M to 512G are allowed");
	BAD("memory=1048577", ERR_ALIGN, "memory = 1048577: a multiple of 4K is needed");
	BAD("cpus=0", ERR_RANGE, "cpus = 0: a number from 1 to 16 is needed");
	BAD("cpus=17", ERR_RANGE, "cpus = 17: a number from 1 to 16 is needed");
	BAD("cpus=two", ERR_RANGE, "cpus = two: a number from 1 to 16 is needed");
	BAD("cpus=4294967297", ERR_RANGE, "cpus = 4294967297: a number from 1 to 16 is needed");
	BAD("weight=0", ERR_RANGE, "weight = 0: a number from 1 to 65535 is needed");
	BAD("weight=65536", ERR_RANGE, "weight = 65536: a number from 1 to 65535 is needed");
	BAD("weight=", ERR_RANGE, "weight = : a number from 1 to 65535 is needed");
	BAD("cap=6401", ERR_RANGE, "cap = 6401: percent of one CPU are needed, up to 6400; 0 is no cap");
	BAD("cap=50%", ERR_RANGE, "cap = 50%: percent of one CPU are needed, up to 6400; 0 is no cap");
	BAD("pin=", ERR_INVAL, "pin = : CPUs from 0 to 63 are needed, such as 0,2-3, or all");
	BAD("pin=64", ERR_RANGE, "pin = 64: CPUs from 0 to 63 are needed, such as 0,2-3, or all");
	BAD("autostart=maybe", ERR_INVAL, "autostart = maybe: yes or no is needed");
	BAD("debug-exit=1", ERR_INVAL, "debug-exit = 1: yes or no is needed");
	BAD("restart=sometimes", ERR_INVAL, "restart = sometimes: no, on-crash or always is needed");
	BAD("unmapped=what", ERR_INVAL, "unmapped = what: stop or ones is needed");
	BAD("load-address=0", ERR_RANGE, "load-address = 0: an address from 1 to 0xffffffff is needed");
	BAD("load-address=0x100000000", ERR_RANGE,
	    "load-address = 0x100000000: an address from 1 to 0xffffffff is needed");
	BAD("initrd=a b", ERR_INVAL, "initrd = a b: a file's name without blanks is needed");
	BAD("module=", ERR_INVAL, "module = : needs the name of a file");
	BAD("initrd=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234", ERR_RANGE,
	    "initrd = aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd...: the name has 64 characters, allowed are 63");
	BAD("cpuid=fsrm", ERR_INVAL, "cpuid = fsrm: features to hide are needed, such as -fsrm,-avx2");
	BAD("cpuid=-fsrm -avx2", ERR_INVAL, "cpuid = -fsrm -avx2: features are separated by commas: -fsrm,-avx2");
	BAD("cpuid=-", ERR_INVAL, "cpuid = -: a feature's name has 1 to 15 letters, digits, _ . or -");
	BAD("cpuid=-abcdefghijklmnop", ERR_INVAL,
	    "cpuid = -abcdefghijklmnop: a feature's name has 1 to 15 letters, digits, _ . or -");
	bad("[vm a]\nkernel=\n", ERR_INVAL, "line 2, [vm a]: kernel = : needs the name of a file");
}

static void test_overlong(void **state)
{
	static char text[8192];
	int n;

	(void)state;
	n = snprintf(text, sizeof(text), "[vm a]\nkernel=k\ncmdline=%01023d\n", 0);
	assert_true(n > 0);
	good(text, 1);
	assert_int_equal(strlen(vms[0].cmdline), 1023);
	snprintf(text, sizeof(text), "[vm a]\nkernel=k\ncmdline=%01024d\n", 0);
	bad(text, ERR_RANGE,
	    "line 3, [vm a]: cmdline = 0000000000000000000000000000000000000000...: has 1024 characters, allowed are 1023");
	snprintf(text, sizeof(text), "[vm a]\nkernel=k\ncmdline=%05000d\n", 0);
	bad(text, ERR_RANGE,
	    "line 3, [vm a]: cmdline = 000000000000000000000000...: has 5000 characters, no value may have more than 2047");
	snprintf(text, sizeof(text), "[vm a]\nkernel=k\nmodule=m %0256d\n", 0);
	bad(text, ERR_RANGE,
	    "line 3, [vm a]: module = m 00000000000000000000000000000000000000...: the words behind the file have 256 characters, "
	    "allowed are 255");
	strcpy(text, "[vm a]\nkernel=k\n");
	for (unsigned i = 0; i < VM_MAX_MODULES; i++)
		strcat(text, "module=m\n");
	good(text, 1);
	strcat(text, "module=m\n");
	bad(text, ERR_FULL, "line 11, [vm a]: module = m: a VM has at most 8 modules");
	strcpy(text, "[vm a]\nkernel=k\ncpuid=-a");
	for (unsigned i = 1; i < VM_MAX_CPUID_RULES; i++)
		strcat(text, ",-a");
	good(text, 1);
	assert_int_equal(vms[0].cpuid_hide_count, VM_MAX_CPUID_RULES);
	strcat(text, ",-a");
	assert_int_equal(parse(text), ERR_FULL);
}

/* Whole sections that do not make a VM: the line is that of the section. */
static void test_sections(void **state)
{
	(void)state;
	bad("\n[vm a]\nmemory=2M\n[vm b]\nkernel=k\n", ERR_INVAL,
	    "line 2, [vm a]: kernel is missing: it names the file to start");
	bad("[vm a]\n", ERR_INVAL, "line 1, [vm a]: kernel is missing: it names the file to start");
	bad("[vm a]\nkernel=k\ninitrd=i\nload-address=0x7c00\n", ERR_INVAL,
	    "line 1, [vm a]: load-address makes the kernel a flat image, which takes no initrd, cmdline or module");
	bad("[vm a]\nkernel=k\nmemory=1M\nload-address=0x100000\n", ERR_INVAL,
	    "line 1, [vm a]: load-address lies above the VM's memory");
}

static void test_set(void **state)
{
	struct vm_config c;
	char small[8];

	(void)state;
	conf_defaults(&c);
	assert_int_equal(conf_check(&c, why, sizeof(why)), ERR_INVAL);
	strcpy(c.name, "x");
	assert_int_equal(conf_set(&c, "kernel", "k", why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(conf_check(&c, why, sizeof(why)), 0);
	/* A refused value changes nothing. */
	assert_int_equal(conf_set(&c, "cpuid", "-a,-b", why, sizeof(why)), 0);
	assert_int_equal(conf_set(&c, "cpuid", "-c,d", why, sizeof(why)), ERR_INVAL);
	assert_int_equal(c.cpuid_hide_count, 2);
	assert_string_equal(c.cpuid_hide[0], "a");
	assert_int_equal(conf_set(&c, "memory", "5", why, sizeof(why)), ERR_RANGE);
	assert_int_equal(c.memory, 256 * MIB);
	assert_int_equal(conf_set(&c, "pin", "1,x", why, sizeof(why)), ERR_INVAL);
	assert_true(c.pins == UINT64_MAX);
	/* Setting again replaces. */
	assert_int_equal(conf_set(&c, "cpuid", "", why, sizeof(why)), 0);
	assert_int_equal(c.cpuid_hide_count, 0);
	assert_int_equal(conf_set(&c, "nope", "1", small, sizeof(small)), ERR_NOENT);
	assert_string_equal(small, "unknown");
	assert_int_equal(conf_set(&c, "nope", "1", NULL, 0), ERR_NOENT);
	assert_int_equal(conf_set(&c, "cpus", "x", NULL, 0), ERR_RANGE);
	strcpy(c.name, "a b");
	assert_int_equal(conf_check(&c, why, sizeof(why)), ERR_INVAL);
}

/* What is in use is copied; what was there of another one has no meaning any more. */
static void test_copy(void **state)
{
	struct vm_config from, to;

	(void)state;
	memset(&from, 0x55, sizeof(from));
	memset(&to, 0xaa, sizeof(to));
	conf_defaults(&from);
	assert_string_equal(from.cmdline, "");
	strcpy(from.name, "x");
	assert_int_equal(conf_set(&from, "cmdline", "a b", why, sizeof(why)), 0);
	assert_int_equal(conf_set(&from, "module", "f some words", why, sizeof(why)), 0);
	assert_int_equal(conf_set(&from, "module", "g", why, sizeof(why)), 0);
	assert_int_equal(conf_set(&from, "cpuid", "-avx,-fsrm", why, sizeof(why)), 0);
	conf_copy(&to, &from);
	assert_string_equal(to.name, "x");
	assert_string_equal(to.kernel, "");
	assert_int_equal(to.memory, 256 * MIB);
	assert_int_equal(to.cpus, 1);
	assert_string_equal(to.cmdline, "a b");
	assert_int_equal(to.module_count, 2);
	assert_string_equal(to.modules[0].args, "some words");
	assert_string_equal(to.modules[1].file, "g");
	assert_string_equal(to.modules[1].args, "");
	assert_int_equal(to.cpuid_hide_count, 2);
	assert_string_equal(to.cpuid_hide[1], "fsrm");
	conf_defaults(&to);
	assert_string_equal(to.cmdline, "");
	assert_int_equal(to.module_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),   cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_keys),  cmocka_unit_test(test_comments_and_quotes),
		cmocka_unit_test(test_bad_lines), cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_overlong),  cmocka_unit_test(test_sections),
		cmocka_unit_test(test_set),       cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
