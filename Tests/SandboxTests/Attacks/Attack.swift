import FoundationEssentials
import Linux
import Testing

@testable import Sandbox

/// One attack: how the sandbox withstands it, and how it comes through without the defence that stops it.
struct Attack: Sendable {
    enum Control: Sendable {
        /// Shows the attack succeeding without the defence.
        case succeeds(@Sendable (Scene) async throws -> Void)
        /// Never tried: its success would hurt this machine, or there is none to be had. Says why.
        case never(String)
    }

    /// As the documentation and the test report call it.
    let name: String
    let threats: [Threat]
    let grounds: [Ground]
    let control: Control
    /// Whether ``control`` shows it with an ordinary user's rights too: then it is shown with them as well.
    let anyUserCan: Bool
    /// Makes the attack on a ground and checks, from outside, that it came to nothing.
    let defend: @Sendable (Scene) async throws -> Void

    init(
        _ name: String, _ threats: Threat..., grounds: [Ground] = Ground.all, anyUserCan: Bool = false,
        control: Control, defend: @escaping @Sendable (Scene) async throws -> Void
    ) {
        self.name = name
        self.threats = threats
        self.grounds = grounds
        self.anyUserCan = anyUserCan
        self.control = control
        self.defend = defend
    }

    /// An attack that is one run of the program, refused inside.
    ///
    /// `saying` is a part of the refusal that counts, where not any will do; `outside` is checked while the sandbox lives.
    static func refused(
        _ name: String, _ threats: Threat..., grounds: [Ground] = Ground.all, inside: [String], saying: String = "",
        anyUserCan: Bool = false, control: Control, outside: (@Sendable (Scene) async throws -> Void)? = nil
    ) -> Attack {
        Attack(name, threats, grounds: grounds, anyUserCan: anyUserCan, control: control) { scene in
            _ = try await scene.withSandbox { sandbox in
                let answer = try await scene.attack(inside, in: sandbox)
                #expect(answer.isRefused && answer.description.contains(saying), "\(answer)")
                try await outside?(scene)
            }
        }
    }

    private init(
        _ name: String, _ threats: [Threat], grounds: [Ground], anyUserCan: Bool, control: Control,
        defend: @escaping @Sendable (Scene) async throws -> Void
    ) {
        self.name = name
        self.threats = threats
        self.grounds = grounds
        self.anyUserCan = anyUserCan
        self.control = control
        self.defend = defend
    }

    static let all: [Attack] =
        calls + keys + terminals + processes + programs + endings + mounts + groups + roots + hidden + kernelFiles
        + devices
        + marks + sockets + objects + resources
}

extension Attack.Control {
    /// Outside, without any sandbox, it succeeds.
    ///
    /// `unlessMissing` lists errors by which a kernel says that it was built without what is attacked: then there is nothing to show.
    static func bare(_ arguments: String..., unlessMissing: [String] = []) -> Attack.Control {
        .succeeds { scene in
            let answer = try await scene.bare(arguments)
            if case .refused(let steps) = answer, unlessMissing.contains(where: steps.contains) { return }
            #expect(answer.isSuccess, "\(answer)")
        }
    }
}

/// An attack on one of its grounds: a test.
struct AttackCase: Sendable, CustomTestStringConvertible {
    let attack: Attack
    let ground: Ground

    var testDescription: String { "\(attack.name) [\(ground)]" }

    private static let all = Attack.all.flatMap { attack in
        attack.grounds.map { AttackCase(attack: attack, ground: $0) }
    }
    static let ordinary = all.filter { $0.ground.mode == .ordinary }
    /// Those of this process.
    static let here = OrdinaryUser.isHere ? ordinary : all.filter { $0.ground.mode != .ordinary }
}

/// An attack without the defence: a test.
struct ControlCase: Sendable, CustomTestStringConvertible {
    let attack: Attack
    let show: @Sendable (Scene) async throws -> Void

    var testDescription: String { attack.name }

    private static let all = Attack.all.compactMap { attack -> ControlCase? in
        guard case .succeeds(let show) = attack.control else { return nil }
        return ControlCase(attack: attack, show: show)
    }
    /// Of the others the kernel, or a setting of the host's, lets only root make them.
    static let ordinary = all.filter { $0.attack.grounds.contains { $0.mode == .ordinary } && $0.attack.anyUserCan }
    /// Those of this process.
    static let here = OrdinaryUser.isHere ? ordinary : all
}
