// Attacks over sockets and System V or POSIX objects of the host.
#include "attacks.h"

#include <arpa/inet.h>
#include <linux/audit.h>
#include <linux/if_alg.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

// `connect-unix NAME…`: a path, or an abstract name after "@".
static void connect_unix(char **arguments) {
    for (; *arguments != NULL; arguments++) {
        static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
        for (int i = 0; i < 3; i++) {
            struct sockaddr_un address = {.sun_family = AF_UNIX};
            strncpy(address.sun_path, *arguments, sizeof address.sun_path - 1);
            if (**arguments == '@')
                address.sun_path[0] = 0;
            socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(*arguments));
            int connection = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
            if (connection >= 0 && connect(connection, (struct sockaddr *)&address, length) == 0)
                attacks_succeeded("reached %s", *arguments);
            attacks_refused("connect");
            close(connection);
        }
    }
}

// `connect-tcp PORT ADDRESS…`, addresses of either version.
static void connect_tcp(char **arguments) {
    uint16_t port = htons((uint16_t)atoi(arguments[0]));
    for (char **text = arguments + 1; *text != NULL; text++) {
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port};
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_scope_id = 2};
        int is_four = inet_pton(AF_INET, *text, &four.sin_addr) == 1;
        if (!is_four && inet_pton(AF_INET6, *text, &six.sin6_addr) != 1)
            continue;
        int connection = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connection < 0) {
            attacks_refused("socket");
            continue;
        }
        int result = is_four ? connect(connection, (struct sockaddr *)&four, sizeof four)
                             : connect(connection, (struct sockaddr *)&six, sizeof six);
        if (result < 0 && errno == EINPROGRESS) {
            struct pollfd wait = {.fd = connection, .events = POLLOUT};
            int code = ETIMEDOUT;
            socklen_t length = sizeof code;
            if (poll(&wait, 1, 1000) > 0)
                getsockopt(connection, SOL_SOCKET, SO_ERROR, &code, &length);
            errno = code;
            result = code == 0 ? 0 : -1;
        }
        if (result == 0)
            attacks_succeeded("reached %s", *text);
        attacks_refused(*text);
        close(connection);
    }
}

static void vsock(char **arguments) {
    int descriptor = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor >= 0)
        attacks_succeeded("a vsock socket");
    attacks_refused("socket");
    if (open("/dev/vsock", O_RDWR | O_CLOEXEC) >= 0)
        attacks_succeeded("/dev/vsock");
    attacks_refused("/dev/vsock");
}

static void alg(char **arguments) {
    int descriptor = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return attacks_refused("socket");
    struct sockaddr_alg address = {.salg_family = AF_ALG, .salg_type = "hash", .salg_name = "sha1"};
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0)
        attacks_succeeded("the kernel's hash");
    attacks_refused("bind");
}

static void packet(char **arguments) {
    if (socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)) >= 0)
        attacks_succeeded("a packet socket");
    attacks_refused("packet");
    if (socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW) >= 0)
        attacks_succeeded("a raw socket");
    attacks_refused("raw");
    static const struct {
        const char *name;
        int number;
    } families[] = {{"bluetooth", AF_BLUETOOTH}, {"can", AF_CAN}, {"key", AF_KEY}, {"xdp", 44}, {"tipc", AF_TIPC}};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (socket(families[i].number, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0)
            attacks_succeeded("a %s socket", families[i].name);
        attacks_refused(families[i].name);
    }
}

// Sends one netlink request and gives the kernel's answer: 0, or -1 with its errno.
static int ask(int protocol, struct nlmsghdr *request) {
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (descriptor < 0)
        return -1;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    char answer[8192];
    struct timeval limit = {.tv_sec = 2};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    ssize_t length = sendto(descriptor, request, request->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel);
    if (length >= 0)
        length = recv(descriptor, answer, sizeof answer, 0);
    int code = errno;
    close(descriptor);
    errno = code;
    if (length < (ssize_t)sizeof(struct nlmsghdr))
        return -1;
    const struct nlmsghdr *head = (const void *)answer;
    if (head->nlmsg_type != NLMSG_ERROR)
        return 0;
    errno = -((const struct nlmsgerr *)NLMSG_DATA(head))->error;
    return errno == 0 ? 0 : -1;
}

static void netlink(char **arguments) {
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
    } down = {
        {.nlmsg_len = sizeof down, .nlmsg_type = RTM_NEWLINK},
        {.ifi_family = AF_UNSPEC, .ifi_index = 1, .ifi_change = 0x10 /* IFF_POINTOPOINT: nobody minds */},
    };
    if (ask(NETLINK_ROUTE, &down.head) == 0)
        attacks_succeeded("changed an interface");
    attacks_refused("route");
    struct {
        struct nlmsghdr head;
        char text[16];
    } audit = {{.nlmsg_len = sizeof audit, .nlmsg_type = AUDIT_USER}, "grace"};
    if (ask(9 /* NETLINK_AUDIT */, &audit.head) == 0)
        attacks_succeeded("wrote to the audit log");
    attacks_refused("audit");
    // The host's device events, which reach every network namespace that the host's user namespace owns.
    int events = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    struct sockaddr_nl everybody = {.nl_family = AF_NETLINK, .nl_groups = 1};
    if (events >= 0 && bind(events, (struct sockaddr *)&everybody, sizeof everybody) == 0)
        attacks_succeeded("listens to device events");
    attacks_refused("uevent");
}

// --- System V and POSIX objects ---

// `sysv KEY`: shared memory, a queue and semaphores with that key.
static void sysv(char **arguments) {
    key_t key = (key_t)strtol(arguments[0], NULL, 0);
    int segment = shmget(key, 0, 0);
    if (segment >= 0) {
        char *memory = shmat(segment, NULL, SHM_RDONLY);
        if (memory != (void *)-1)
            attacks_succeeded("shared memory holds %.32s", memory);
    }
    attacks_refused("shmget");
    struct shm_info information;
    int highest = shmctl(0, SHM_INFO, (struct shmid_ds *)&information);
    for (int i = 0; i <= highest; i++) {
        struct shmid_ds status;
        int id = shmctl(i, SHM_STAT, &status);
        if (id >= 0 && status.shm_perm.__key == key)
            attacks_succeeded("segment %d is listed", id);
    }
    if (msgget(key, 0) >= 0)
        attacks_succeeded("a queue");
    attacks_refused("msgget");
    if (semget(key, 0, 0) >= 0)
        attacks_succeeded("semaphores");
    attacks_refused("semget");
}

// `posix NAME`: shared memory and a queue of that name.
static void posix(char **arguments) {
    int memory = shm_open(arguments[0], O_RDONLY, 0);
    char text[64] = "";
    if (memory >= 0 && pread(memory, text, sizeof text - 1, 0) > 0)
        attacks_succeeded("shared memory holds %s", text);
    attacks_refused("shm_open");
    if (mq_open(arguments[0], O_RDONLY) >= 0)
        attacks_succeeded("a queue");
    attacks_refused("mq_open");
}

const struct attack attacks_network[] = {
    {"connect-unix", 1, connect_unix}, {"connect-tcp", 2, connect_tcp}, {"vsock", 0, vsock}, {"af-alg", 0, alg},
    {"packet", 0, packet}, {"netlink", 0, netlink}, {"sysv", 1, sysv}, {"posix", 1, posix}, {NULL, 0, NULL},
};
