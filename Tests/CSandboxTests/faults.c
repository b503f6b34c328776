// Which call is to fail, by whom it is made and where.
#include "faults.h"

#include "unfault.h"

struct faults *faults;
unsigned char *fault_ever;
char *fault_meddle_at;

// What a process is, known by its descent: it has its parent's role until its own number shows that it is somebody else.
static int role = FAULT_OTHER, role_of;

void fault_become(int what) {
    role = what;
    role_of = getpid();
}

static int role_here(void) {
    int pid = getpid();
    if (role_of != pid) {
        role = role == FAULT_FIRST ? FAULT_COMMAND : role == FAULT_LAUNCHER && pid == 1 ? FAULT_FIRST : FAULT_OTHER;
        role_of = pid;
    }
    return role;
}

int fault(const struct fault_place *place) {
    if (faults == NULL)
        return 0;
    int who = role_here(), number = (int)(place - __start_fault_places), index = faults->count[who]++;
    if (index < FAULT_MOST)
        faults->places[who][index] = number;
    if (who == faults->meddle_role && number + 1 == faults->meddle_place && fault_meddle_at != NULL)
        *fault_meddle_at = '9';
    int fails = who == faults->role && index == faults->index;
    if (number + 1 == faults->place && who == faults->role)
        fails = 1;
    if (!fails)
        return 0;
    faults->struck++;
    fault_ever[number] = 1;
    errno = number + 1 == faults->place && faults->code != 0 ? faults->code : FAULT_ERRNO;
    return 1;
}

int fault_place_of(const char *function, const char *name, int nth) {
    // In the order of the lines, whatever the linker's is.
    for (int line = 0;;) {
        const struct fault_place *next = NULL;
        for (struct fault_place *place = __start_fault_places; place < __stop_fault_places; place++)
            if (strcmp(place->function, function) == 0 && strcmp(place->name, name) == 0 && place->line > line
                && (next == NULL || place->line < next->line))
                next = place;
        if (next == NULL)
            return -1;
        if (nth-- == 0)
            return (int)(next - __start_fault_places);
        line = next->line;
    }
}

static char *last_pages, *last_place;
static size_t last_room;

void fault_unmap(void) {
    if (last_pages != NULL)
        munmap(last_pages, last_room);
    last_pages = NULL;
}

void *fault_mmap(void *where, size_t size, int protection, int flags, int descriptor, off_t offset) {
    if (!(flags & MAP_ANONYMOUS))
        return mmap(where, size, protection, flags, descriptor, offset);
    size_t room = (size + 4095) & ~(size_t)4095, end = (size + 7) & ~(size_t)7;
    char *pages = mmap(NULL, room + 4096, protection, flags, -1, 0);
    if (pages == MAP_FAILED)
        return MAP_FAILED;
    mprotect(pages + room, 4096, PROT_NONE);
    last_pages = pages;
    last_room = room + 4096;
    return last_place = pages + room - end;
}

int fault_munmap(void *place, size_t size) {
    if (last_pages == NULL || place != last_place)
        return munmap(place, size);
    fault_unmap();
    return 0;
}

int fault_poll(struct pollfd *watched, nfds_t count, int timeout) {
    int launcher = faults != NULL && role_here() == FAULT_LAUNCHER;
    if (launcher)
        __atomic_store_n(&faults->waits, timeout < 0, __ATOMIC_SEQ_CST);
    int result = poll(watched, count, timeout);
    if (launcher)
        __atomic_store_n(&faults->waits, 0, __ATOMIC_SEQ_CST);
    return result;
}
