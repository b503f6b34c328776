internal import CLinux
internal import Glibc

extension Processes {
    /// Starts a program; the caller must ``wait(_:)`` for it.
    ///
    /// Signal handlers, ignored signals and the signal mask are back at their defaults in it.
    ///
    /// - Parameters:
    ///   - executable: A path, or a name looked for in the environment's `PATH`.
    ///   - arguments: Without the program's own name.
    ///   - environment: `nil`: the caller's.
    ///   - descriptors: What the child gets, as (its number, the caller's). 0, 1 and 2 are `/dev/null` where not named; every
    ///     other descriptor closes.
    ///   - directory: `nil`: the caller's.
    ///   - user: Whom to become, with all that user's groups.
    ///   - group: Its process group.
    /// - Returns: The process id.
    /// - Throws: `SystemError` naming the step that failed; nothing is left to reap then.
    public static func spawn(
        _ executable: String, arguments: [String] = [], environment: [String: String]? = nil,
        descriptors: [(Int32, Int32)] = [], directory: String? = nil, user: (uid: UInt32, gid: UInt32)? = nil,
        group: Group = .inherited
    ) throws -> Int32 {
        try spawnHeld(
            executable, arguments: arguments, environment: environment, descriptors: descriptors, directory: directory,
            user: user, group: group
        ).pid
    }

    /// As ``spawn(_:arguments:environment:descriptors:directory:user:group:)``, with the pidfd made in the same instant.
    public static func spawnHeld(
        _ executable: String, arguments: [String] = [], environment: [String: String]? = nil,
        descriptors: [(Int32, Int32)] = [], directory: String? = nil, user: (uid: UInt32, gid: UInt32)? = nil,
        group: Group = .inherited
    ) throws -> (pid: Int32, pidfd: Descriptor) {
        let variables = environment ?? currentEnvironment()
        let path = try locate(executable, path: variables["PATH"])
        for text in [path] + arguments + (directory.map { [$0] } ?? []) where text.utf8.contains(0) {
            throw SystemError(call: "execve (an argument holds a NUL)", subject: executable, code: EINVAL)
        }
        for (key, value) in variables where key.isEmpty || (key + value).utf8.contains(0) || key.utf8.contains(61) {
            throw SystemError(call: "execve (environment variable \(key))", subject: executable, code: EINVAL)
        }
        guard Set(descriptors.map(\.0)).count == descriptors.count, descriptors.allSatisfy({ $0.0 >= 0 && $0.1 >= 0 })
        else {
            throw SystemError(call: "spawn (descriptors named twice)", subject: executable, code: EINVAL)
        }
        var groups: [UInt32] = []
        if let user {
            groups = try Users.lookup(uid: user.uid)?.groups ?? []
            if !groups.contains(user.gid) { groups.append(user.gid) }
        }
        let mappings = descriptors.map { clinux_mapping(child: $0.0, parent: $0.1) }
        var plan = clinux_spawn()
        plan.group = group == .new ? 1 : group == .session ? 2 : 0
        plan.change_user = user == nil ? 0 : 1
        plan.uid = user?.uid ?? 0
        plan.gid = user?.gid ?? 0
        plan.mapping_count = mappings.count
        plan.group_count = groups.count

        let argv = CStrings([executable] + arguments)
        let envp = CStrings(variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
        let result = path.withCString { pathPointer in
            withOptionalCString(directory) { directoryPointer in
                mappings.withUnsafeBufferPointer { mappingBuffer in
                    groups.withUnsafeBufferPointer { groupBuffer in
                        argv.pointers.withUnsafeBufferPointer { arguments in
                            envp.pointers.withUnsafeBufferPointer { environment in
                                plan.executable = pathPointer
                                plan.directory = directoryPointer
                                plan.mappings = mappingBuffer.baseAddress
                                plan.groups = groupBuffer.baseAddress
                                plan.arguments = arguments.baseAddress
                                plan.environment = environment.baseAddress
                                return clinux_spawn(&plan)
                            }
                        }
                    }
                }
            }
        }
        withExtendedLifetime((argv, envp)) {}
        let step = plan.failed_step.map { String(cString: $0) } ?? "spawn"
        let subject = step == "chdir" ? (directory ?? executable) : path
        let pid = try SystemError.check(result, step, subject)
        return (pid, Descriptor(owning: plan.pidfd))
    }

    /// This process's environment.
    public static func currentEnvironment() -> [String: String] {
        var result: [String: String] = [:]
        guard var entry = clinux_environment() else { return result }
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let split = pair.firstIndex(of: "="), split != pair.startIndex, result[String(pair[..<split])] == nil {
                result[String(pair[..<split])] = String(pair[pair.index(after: split)...])
            }
            entry += 1
        }
        return result
    }

    /// One variable of this process's environment; `nil` where it is not set.
    public static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// The path of the library of this process that holds an address, as the loader was given it (dl_iterate_phdr(3)), or
    /// `/proc/self/exe` for the program itself; `nil`: none.
    public static func object(holding address: UnsafeRawPointer) -> String? {
        clinux_object_of(address).map { String(cString: $0) }
    }

    /// Where the program called `name` lies: itself where it has a slash, else the first executable file in `path`.
    ///
    /// - Throws: ENOENT where `PATH` has none.
    public static func locate(_ name: String, path: String? = nil) throws -> String {
        if name.contains("/") { return name }
        let directories = path ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        for directory in directories.split(separator: ":") where !name.isEmpty && directory.hasPrefix("/") {
            let candidate = "\(directory)/\(name)"
            guard access(candidate, X_OK) == 0 else { continue }
            var status = stat()
            if stat(candidate, &status) == 0, status.st_mode & S_IFMT == S_IFREG { return candidate }
        }
        throw SystemError(call: "find program (in PATH \(directories))", subject: name, code: ENOENT)
    }

    private static func withOptionalCString<T>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> T) -> T {
        guard let text else { return body(nil) }
        return text.withCString { body($0) }
    }
}

/// NUL-terminated copies, and the NULL-terminated array of them that execve wants.
private final class CStrings {
    let pointers: [UnsafeMutablePointer<CChar>?]
    init(_ texts: [String]) { pointers = texts.map { strdup($0) } + [nil] }
    deinit { for pointer in pointers { free(pointer) } }
}
