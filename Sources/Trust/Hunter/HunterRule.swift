internal import Missions

/// The built-in checks. Raw values are stable: they stand in findings, SARIF and people's notes.
enum HunterRule: String, CaseIterable {
    case setuid, setgid
    case setuidModified = "setuid-modified"
    case fileCapability = "file-capability"
    case worldWritable = "world-writable"
    case executableOwner = "executable-owner"
    case deviceNode = "device-node"
    case privateKey = "secret-private-key"
    case token = "secret-token"
    case assignment = "secret-assignment"
    case authorizedKeys = "authorized-keys"
    case sshConfiguration = "ssh-configuration"
    case sudoers, cron, preload, pam
    case rootAccount = "root-account"
    case accounts
    case systemdExec = "systemd-exec"
    case systemdEnabled = "systemd-enabled"
    case pythonStartup = "python-startup"
    case shellStartup = "shell-startup"
    case bootConfiguration = "boot-configuration"
    case packageSources = "package-sources"
    case sensitiveLink = "sensitive-link"
    case linkOutside = "link-outside"
    case deniedCall = "denied-call"
    case unscanned
    case partlyScanned = "partly-scanned"
    case scannerNotRun = "scanner-not-run"

    var severity: FindingSeverity {
        switch self {
        case .deviceNode, .authorizedKeys, .sudoers, .preload, .rootAccount: .critical
        case .setuid, .setgid, .fileCapability, .worldWritable, .executableOwner, .privateKey, .token, .cron, .pam,
            .pythonStartup,
            .sensitiveLink, .unscanned, .scannerNotRun:
            .high
        case .deniedCall, .setuidModified, .assignment, .sshConfiguration, .systemdExec, .shellStartup,
            .bootConfiguration,
            .packageSources:
            .medium
        case .accounts, .systemdEnabled, .linkOutside, .partlyScanned: .low
        }
    }

    /// What the rule is about, for reports.
    var text: String {
        switch self {
        case .setuid: "A program newly runs as its owner, whoever starts it."
        case .setgid: "A program newly runs as its group, whoever starts it."
        case .setuidModified: "A program that runs as its owner or group has another content."
        case .fileCapability: "A program newly has file capabilities."
        case .worldWritable: "Every user may write here, which was not so before."
        case .executableOwner: "A program belongs to another user than root, who can alter it."
        case .deviceNode: "A device node was made."
        case .privateKey: "A private key lies in a file."
        case .token: "An access token lies in a file."
        case .assignment: "A password, secret or token lies in a file."
        case .authorizedKeys: "Who may log in by SSH key is changed."
        case .sshConfiguration: "The configuration of SSH is changed."
        case .sudoers: "Who may become root is changed."
        case .cron: "A command is to run at times of its own."
        case .preload: "A library is to be loaded into every process."
        case .pam: "How users are authenticated is changed."
        case .rootAccount: "An account has the rights of root."
        case .accounts: "Accounts or groups are changed."
        case .systemdExec: "A unit runs another command."
        case .systemdEnabled: "A unit is started by another one."
        case .pythonStartup: "Every Python process runs something at its start."
        case .shellStartup: "Every login or shell runs something at its start."
        case .bootConfiguration: "What the host loads or runs while it boots is changed."
        case .packageSources: "Where packages come from is changed."
        case .sensitiveLink: "A link points at something sensitive."
        case .linkOutside: "A link points outside of the declared scope."
        case .deniedCall: "A system call was tried that sandboxes are denied."
        case .unscanned: "A file could not be scanned."
        case .partlyScanned: "Only the beginning of a file was scanned."
        case .scannerNotRun: "A required scanner did not run."
        }
    }
}
