internal import CSandbox
internal import FoundationEssentials
internal import Linux

/// Whom a command runs as, in the host's numbers (which the mapping keeps the same inside).
struct CommandIdentity: Equatable {
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    var groups: [UInt32] = []
    var home: String?
    var name: String?

    /// `user` is a name or number in the host's passwd; `nil`: root inside. `singleUser` says that the sandbox knows one id alone,
    /// because an unprivileged caller made it.
    static func resolve(_ user: String?, singleUser: Bool) throws -> CommandIdentity {
        guard let user, user != "root", user != "0" else { return CommandIdentity() }
        guard let found = try Users.lookup(user) else {
            throw SandboxError.invalid(
                "There is no user “\(user)” on this host (passwd); name one that `getent passwd` lists.")
        }
        guard found.uid != 0 else { return CommandIdentity() }
        if singleUser {
            throw SandboxError.invalid(
                "A sandbox started without privileges knows one user alone, its root; to run a command as “\(user)”, start it as root."
            )
        }
        return CommandIdentity(uid: found.uid, gid: found.gid, groups: found.groups, home: found.home, name: found.name)
    }
}

/// Writes a command as `struct csandbox_command`, in a memfd.
enum CommandWriter {
    static func write(
        _ command: Command, environment: [String: String], identity: CommandIdentity, targets: [Int32],
        foreground: Bool, limits: [Surroundings.Limit] = []
    ) throws -> Descriptor {
        guard let program = command.arguments.first, !program.isEmpty else {
            throw SandboxError.invalid("A command needs a program; its list of arguments is empty.")
        }
        guard command.directory.hasPrefix("/") else {
            throw SandboxError.invalid("A command's directory is absolute; “\(command.directory)” is not.")
        }
        var variables = environment
        if let home = identity.home { variables["HOME"] = home }
        if let name = identity.name {
            variables["USER"] = name
            variables["LOGNAME"] = name
        }
        variables.merge(command.environment) { $1 }
        for (key, _) in variables where key.isEmpty || key.contains("=") {
            throw SandboxError.invalid("“\(key)” is no name of an environment variable.")
        }
        let lines = variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        for text in command.arguments + lines + [command.directory] where text.utf8.contains(0) {
            throw SandboxError.invalid(
                "An argument, variable or directory of the command “\(program)” contains a NUL byte.")
        }
        var writer = FlatWriter(head: MemoryLayout<csandbox_command>.size)
        var head = csandbox_command()
        head.magic = CSANDBOX_MAGIC
        head.version = CSANDBOX_VERSION
        head.flags = foreground ? CSANDBOX_FOREGROUND.rawValue : 0
        head.uid = identity.uid
        head.gid = identity.gid
        head.group_count = UInt32(identity.groups.count)
        head.directory = writer.string(command.directory)
        let arguments = command.arguments.map { writer.string($0) }
        let environment = lines.map { writer.string($0) }
        head.groups = writer.array(identity.groups)
        head.argument_count = UInt32(arguments.count)
        head.arguments = writer.array(arguments)
        head.environment_count = UInt32(environment.count)
        head.environment = writer.array(environment)
        head.passed_count = UInt32(targets.count)
        head.passed = writer.array(targets.map { UInt32($0) })
        if !limits.isEmpty {
            head.limit_count = UInt32(limits.count)
            head.limits = writer.array(limits.flatMap { [$0.soft, $0.hard] })
        }
        _ = writer.string("")
        head.size = UInt32(writer.bytes.count)
        writer.head(head)
        let file = try Descriptor.memory(name: "grace-command")
        try Files.write(file, writer.data)
        return file
    }
}
