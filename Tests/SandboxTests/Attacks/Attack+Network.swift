import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// The host's sockets, addresses, and objects with names.
extension Attack {
    static let sockets: [Attack] = [
        Attack(
            "the host's abstract and path sockets", .unixSockets, grounds: Ground.all + Ground.reaching,
            anyUserCan: true,
            control: .succeeds { scene in
                try await withListeners(scene) { names in
                    for name in names { try await scene.comesThrough(["connect-unix", name]) }
                }
            }
        ) { scene in
            try await withListeners(scene) { names in
                let (answer, _) = try await scene.inside(["connect-unix"] + names)
                #expect(answer.isRefused, "\(answer)")
            }
        },
        Attack(
            "the host's loopback, own and link-local addresses", .hostNetwork, grounds: Ground.all + Ground.reaching,
            anyUserCan: true,
            control: .succeeds { scene in
                try await withTCP { port in
                    try await scene.comesThrough(["connect-tcp", "\(port)", "127.0.0.1"])
                }
            }
        ) { scene in
            try await withTCP { port in
                let (answer, _) = try await scene.inside(
                    [
                        "connect-tcp", "\(port)", "127.0.0.1", "::1", "127.0.0.2", "0.0.0.0", "::ffff:127.0.0.1",
                        "169.254.169.254", "fe80::1", "fd00:ec2::254",
                    ]
                        + hostAddresses())
                #expect(answer.isRefused, "\(answer)")
                guard scene.ground.reaches else { return }
                // There is a way out, and the gateway takes what is for elsewhere.
                let (elsewhere, _) = try await scene.inside(["connect-tcp", "\(port)", "203.0.113.99"])
                #expect(elsewhere.isSuccess, "\(elsewhere)")
            }
        },
        .refused(
            "vsock", .socketFamilies, grounds: Ground.all + Ground.reaching, inside: ["vsock"], anyUserCan: true,
            control: .bare("vsock", unlessMissing: ["EAFNOSUPPORT"])),
        .refused(
            "AF_ALG", .socketFamilies, grounds: Ground.all + Ground.reaching, inside: ["af-alg"], anyUserCan: true,
            control: .bare("af-alg", unlessMissing: ["EAFNOSUPPORT", "ENOENT"])),
        .refused(
            "packet and raw sockets", .socketFamilies, grounds: Ground.all + Ground.reaching, inside: ["packet"],
            control: .bare("packet", unlessMissing: ["EAFNOSUPPORT"])),
        .refused(
            "netlink", .socketFamilies, grounds: Ground.all + Ground.reaching, inside: ["netlink"],
            control: .bare("--namespaces", "n", "netlink")),
    ]

    /// Sockets of the host: an abstract one, one in a directory that the sandbox sees, one in /run.
    private static func withListeners(_ scene: Scene, _ body: ([String]) async throws -> Void) async throws {
        let label = "grace-attack-\(UInt32.random(in: 0 ... .max))"
        // In /run an ordinary user has no place.
        let names = ["@\(label)", "\(scene.made)/socket"] + (geteuid() == 0 ? ["/run/\(label)"] : [])
        var held: [Descriptor] = []
        for name in names {
            let socket = Descriptor(owning: Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | 0o2000000, 0))
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { path in
                path.copyBytes(from: name.utf8)
                if name.hasPrefix("@") { path[0] = 0 }
            }
            let length = socklen_t(2 + name.utf8.count)
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(socket.raw, $0, length) }
            }
            try #require(bound == 0 && listen(socket.raw, 8) == 0, "\(name)")
            if !name.hasPrefix("@") { try Files.chmod(name, 0o777) }
            held.append(socket)
        }
        defer { try? Files.unlink("/run/\(label)") }
        try await body(names)
        withExtendedLifetime(held) {}
    }

    /// A listener on every address of the host, at a port that ``Ground/reaching`` would let pass.
    private static func withTCP(_ body: (UInt16) async throws -> Void) async throws {
        let socket = Descriptor(owning: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | 0o2000000, 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let free = Ground.openPorts.first { port in
            address.sin_port = port.bigEndian
            return withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket.raw, $0, length) }
            } == 0
        }
        let port = try #require(free)
        try #require(listen(socket.raw, 8) == 0)
        try await body(port)
        withExtendedLifetime(socket) {}
    }

    /// The addresses of the host's own interfaces.
    private static func hostAddresses() -> [String] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var found: Set<String> = []
        var next = first
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr, Int32(address.pointee.sa_family) == AF_INET else { continue }
            var text = [CChar](repeating: 0, count: 64)
            if getnameinfo(address, socklen_t(MemoryLayout<sockaddr_in>.size), &text, 64, nil, 0, NI_NUMERICHOST) == 0 {
                found.insert(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
            }
        }
        return found.sorted()
    }

    static let objects: [Attack] = [
        Attack(
            "the host's System V shared memory", .sharedMemory, anyUserCan: true,
            control: .succeeds { scene in
                try await withSegment { key in try await scene.comesThrough(["sysv", "\(key)"]) }
            }
        ) { scene in
            try await withSegment { key in
                let (answer, _) = try await scene.inside(["sysv", "\(key)"])
                #expect(answer.isRefused, "\(answer)")
            }
        },
        Attack(
            "the host's POSIX shared memory", .sharedMemory, anyUserCan: true,
            control: .succeeds { scene in
                try await withMemory { name in try await scene.comesThrough(["posix", name]) }
            }
        ) { scene in
            try await withMemory { name in
                let (answer, _) = try await scene.inside(["posix", name])
                #expect(answer.isRefused, "\(answer)")
            }
        },
    ]

    private static func withSegment(_ body: (Int32) async throws -> Void) async throws {
        let key = Int32.random(in: 1 << 24..<1 << 30)
        let segment = shmget(key, 4096, 0o1000 /* IPC_CREAT */ | 0o666)
        try #require(segment >= 0)
        defer { shmctl(segment, 0 /* IPC_RMID */, nil) }
        if let memory = shmat(segment, nil, 0), Int(bitPattern: memory) != -1 {
            memory.copyMemory(from: Scene.secretText, byteCount: Scene.secretText.utf8.count)
            shmdt(memory)
        }
        try await body(key)
    }

    private static func withMemory(_ body: (String) async throws -> Void) async throws {
        let name = "/grace-attack-\(UInt32.random(in: 0 ... .max))"
        let memory = Descriptor(owning: shm_open(name, O_RDWR | O_CREAT, 0o666))
        try #require(memory.raw >= 0)
        defer { shm_unlink(name) }
        try Files.write(memory, Data(Scene.secretText.utf8))
        try await body(name)
    }
}
