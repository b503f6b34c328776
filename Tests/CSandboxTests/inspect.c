// Looks at a running sandbox from outside: what isolates it, and what it was left with.
#include "support.h"

#include <dirent.h>
#include <stdarg.h>

char inspected[INSPECTED];
static size_t length;

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void add(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int wrote = vsnprintf(inspected + length, sizeof inspected - length, format, arguments);
    va_end(arguments);
    length += (size_t)wrote < sizeof inspected - length ? (size_t)wrote : sizeof inspected - length - 1;
}

static void link_of(int pid, const char *name, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    ssize_t read = readlink(path, text, size - 1);
    text[read < 0 ? 0 : read] = 0;
}

static void add_namespaces(const char *who, int pid) {
    static const char *const kinds[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char name[32], host[64], own[64];
        snprintf(name, sizeof name, "ns/%s", kinds[i]);
        link_of(getpid(), name, host, sizeof host);
        link_of(pid, name, own, sizeof own);
        add("%s %s %s\n", who, name, *own == 0 ? "?" : strcmp(host, own) == 0 ? "the host's" : "its own");
    }
}

// The lines of a file of /proc that begin with one of `names`; all of them where there are none.
static void add_lines(const char *who, int pid, const char *file, const char *const *names) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *text = fopen(path, "r");
    if (text == NULL)
        return add("%s %s: not to be read\n", who, file);
    while (fgets(line, sizeof line, text) != NULL) {
        int wanted = names == NULL;
        for (int i = 0; names != NULL && names[i] != NULL; i++)
            wanted |= strncmp(line, names[i], strlen(names[i])) == 0;
        if (wanted)
            add("%s %s: %s", who, file, line);
    }
    fclose(text);
}

// Of each mount: where, how, and of which type. The numbers differ from sandbox to sandbox.
static void add_mounts(int pid) {
    char path[64], line[2048], point[512], options[256], type[64];
    snprintf(path, sizeof path, "/proc/%d/mountinfo", pid);
    FILE *text = fopen(path, "r");
    if (text == NULL)
        return add("mounts: not to be read\n");
    while (fgets(line, sizeof line, text) != NULL) {
        const char *after = strstr(line, " - ");
        if (after != NULL && sscanf(line, "%*s %*s %*s %*s %511s %255s", point, options) == 2 && sscanf(after, " - %63s", type) == 1)
            add("mount %s %s %s\n", point, options, type);
    }
    fclose(text);
}

static int compare(const void *a, const void *b) { return strcmp(a, b); }

void open_files_of(pid_t pid, char *text, size_t size) {
    static char words[256][64];
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *list = opendir(path);
    for (struct dirent *entry; list != NULL && count < 256 && (entry = readdir(list)) != NULL;) {
        char name[320], target[64];
        if (*entry->d_name == '.')
            continue;
        snprintf(name, sizeof name, "fd/%s", entry->d_name);
        link_of(pid, name, target, sizeof target);
        target[strcspn(target, "[")] = 0;  // socket:[…], net:[…], anon_inode:[pidfd]
        snprintf(words[count++], sizeof *words, "%s", target);
    }
    if (list != NULL)
        closedir(list);
    qsort(words, (size_t)count, sizeof *words, compare);
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? " " : "", words[i]);
}

int children_of(pid_t pid, int *first) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *text = fopen(path, "r");
    int count = 0, child;
    for (; text != NULL && fscanf(text, "%d", &child) == 1; count++)
        if (count == 0 && first != NULL)
            *first = child;
    if (text != NULL)
        fclose(text);
    return count;
}

static const char the_zygote[] = "the zygote";

static void add_process(const char *who, int pid) {
    static const char *const status[] = {"Umask:", "Uid:", "Gid:", "Groups:", "SigBlk:", "SigIgn:", "CapInh:", "CapPrm:", "CapEff:",
                                         "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:", NULL};
    static const char *const limits[] = {"Max core file size", "Max open files", NULL};
    char text[1024];
    add_namespaces(who, pid);
    add_lines(who, pid, "status", status);
    add_lines(who, pid, "limits", limits);
    add_lines(who, pid, "uid_map", NULL);
    add_lines(who, pid, "gid_map", NULL);
    add_lines(who, pid, "oom_score_adj", NULL);
    if (who != the_zygote) {
        open_files_of(pid, text, sizeof text);
        add("%s open: %s\n", who, text);
    }
    link_of(pid, "cwd", text, sizeof text);
    add("%s directory: %s\n", who, text);
}

void inspect(int pidfd) {
    char path[64], line[128];
    int first = 0, command = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    FILE *text = fopen(path, "r");
    while (text != NULL && fgets(line, sizeof line, text) != NULL)
        sscanf(line, "Pid: %d", &first);
    if (text != NULL)
        fclose(text);
    length = 0;
    *inspected = 0;
    if (first <= 0 || children_of(first, &command) != 1)
        return;
    add_process("process 1", first);
    add_process("the command", command);
    add_mounts(first);
    for (int i = 0; i < 2; i++) {  // what took the place of the control groups' files
        char joined[256], content[8] = "";
        snprintf(joined, sizeof joined, "%s/cgroups/%d", place, i);
        int file = open(joined, O_RDONLY | O_CLOEXEC);
        if (file >= 0 && read(file, content, sizeof content - 1) >= 0)
            add("group %d: “%s”\n", i, content);
        if (file >= 0)
            close(file);
    }
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    if (poll(&end, 1, 0) != 0)
        *inspected = 0;  // what it says is of a sandbox that was about to end
}

void inspect_process(pid_t zygote) {
    length = 0;
    *inspected = 0;
    add_process(the_zygote, zygote);
}

// The next line of a text that counts; NULL at its end.
static const char *next_line(const char **text, const char *const *but, char *line, size_t size) {
    while (**text != 0) {
        size_t end = strcspn(*text, "\n");
        snprintf(line, size, "%.*s", (int)end, *text);
        *text += end + ((*text)[end] != 0);
        int counts = 1;
        for (int i = 0; but != NULL && but[i] != NULL; i++)
            counts &= strstr(line, but[i]) == NULL;
        if (counts)
            return line;
    }
    return NULL;
}

void check_same(const char *what, const char *before, const char *after, const char *const *but) {
    char left[1024], right[1024];
    const char *a, *b;
    do {
        a = next_line(&before, but, left, sizeof left);
        b = next_line(&after, but, right, sizeof right);
    } while (a != NULL && b != NULL && strcmp(a, b) == 0);
    check(a == NULL && b == NULL, "%s: not as without a fault: “%s” instead of “%s”", what, b != NULL ? b : "(end)",
          a != NULL ? a : "(end)");
}
