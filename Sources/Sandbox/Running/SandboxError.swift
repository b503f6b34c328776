internal import CSandbox
internal import Linux

/// Why a sandbox or a command in it could not be started.
public enum SandboxError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A step of setting up failed. `errno` is the kernel's answer, `detail` what it was about.
    case setup(step: String, errno: Int32, detail: String, advice: String?)
    /// The program of a command could not be executed: not found (ENOENT), not executable (EACCES, ENOEXEC)…
    case start(step: String, errno: Int32, program: String)
    /// The profile demands what this host cannot do.
    case missing([FeatureStatus])
    /// The specification contradicts itself or cannot be carried out.
    case invalid(String)
    /// The helper program is not there or did not answer.
    case helper(String)
    /// The sandbox has ended.
    case ended(String)

    public var description: String {
        switch self {
        case .setup(let step, let errno, let detail, let advice):
            let place = detail.isEmpty ? "" : " (\(detail))"
            let what = "The sandbox could not be set up: \(step)\(place) failed: \(Self.text(errno))."
            return advice.map { "\(what) \($0)" } ?? what
        case .start(let step, 2, let program) where step == Self.name(CSANDBOX_STEP_DIRECTORY):
            return
                "“\(program)” could not be started in the sandbox: the directory it is to start in is not there. /tmp, /run and /dev are a "
                + "sandbox's own, and a profile's hidden places are empty; start it from another directory."
        case .start(let step, let errno, let program):
            return "“\(program)” could not be started in the sandbox: \(step) failed: \(Self.text(errno))."
        case .missing(let features):
            let list = features.map { "\($0.feature.rawValue): \($0.detail)\($0.mend.map { " \($0)" } ?? "")" }
            return "This host cannot do what the sandbox's profile demands. \(list.joined(separator: " "))"
        case .invalid(let message), .helper(let message), .ended(let message):
            return message
        }
    }

    /// What a shell would answer: 127 when the program is not there, 126 when it cannot be executed, 125 when Grace failed.
    public var shellCode: Int32 {
        guard case .start(let step, let errno, _) = self, step == Self.name(CSANDBOX_STEP_EXECUTE) else { return 125 }
        return errno == 2 ? 127 : 126
    }

    static func name(_ step: csandbox_step) -> String { String(cString: csandbox_step_name(Int32(step.rawValue))) }

    private static func text(_ errno: Int32) -> String {
        let error = SystemError(call: "", subject: "", code: errno)
        return "\(error.description.replacing(" failed: ", with: ""))"
    }
}
