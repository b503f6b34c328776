import Agent
import ArgumentParser
import Documents
import FoundationEssentials
import Glibc
import Ledger
import Linux
import Local

struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make and list the keys that people sign with, and this host's own.",
        subcommands: [Init.self, List.self, Export.self], defaultSubcommand: List.self)

    struct Init: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an Ed25519 SSH key for a person and print its line for allowed_signers.")
        @Option(help: "Where the private key is written.") var file: String
        @Option(help: "The person's name in allowed_signers, such as alice@example.org.") var principal: String
        @Option(help: "A file whose first line is the passphrase; without it you are asked.") var passphraseFile:
            String?
        @Flag(help: "Make a key without a passphrase. Whoever reads the file can then approve in your name.")
        var noPassphrase = false

        func run() async throws {
            let path = file.absolute
            guard try Files.status(path) == nil else {
                throw Failure("\(path) exists already; a key is never overwritten. Choose another --file.", code: 2)
            }
            var passphrase = ""
            if let passphraseFile {
                passphrase = try Files.readString(passphraseFile).split(separator: "\n").first.map(String.init) ?? ""
            } else if !noPassphrase {
                guard let first = Passphrase.ask("Passphrase for the new key:") else {
                    throw Failure("There is no terminal to ask on; give --passphrase-file or --no-passphrase.", code: 2)
                }
                guard first == Passphrase.ask("The same again:") else {
                    throw Failure("The two differ; nothing was made.", code: 2)
                }
                passphrase = first
            }
            guard noPassphrase || !passphrase.isEmpty else {
                throw Failure("The passphrase is empty; say --no-passphrase if that is meant.", code: 2)
            }
            _ = try await SSHKeygen.generate(path: path, comment: principal, passphrase: passphrase)
            let line = try AllowedSignersLine.make(principal: principal, publicKeyFile: path + ".pub")
            Terminal.line("The key is \(path). Its line for allowed_signers:")
            Terminal.line(line)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List who may sign on this host, and the host's own keys.")
        @OptionGroup var placesOptions: PlacesOptions

        func run() async throws {
            let places = placesOptions.places
            Terminal.line(Terminal.styled("allowed_signers", .bold) + " (\(places.allowedSignersFile))")
            Terminal.line(Terminal.escaped((try? Files.readString(places.allowedSignersFile)) ?? "  none"))
            if let key = try? Files.readString(places.agentState + "/agent.pub") {
                Terminal.line(Terminal.styled("agent", .bold) + "  " + Terminal.escaped(key))
            }
            if let key = try? Files.readString(places.pinnedLedgerKey) {
                Terminal.line(Terminal.styled("ledger", .bold) + " " + Terminal.escaped(key))
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print this host's public keys in signed-note form.")
        @OptionGroup var placesOptions: PlacesOptions

        func run() async throws {
            let places = placesOptions.places
            Terminal.line(try Files.readString(places.agentState + "/agent.pub"))
            if let ledger = try? Files.readString(places.pinnedLedgerKey) { Terminal.line(ledger) }
        }
    }
}

/// A line of OpenSSH's allowed_signers that lets a key sign all that Grace asks of people.
enum AllowedSignersLine {
    static let namespaces = "approve@grace,override@grace,rollback@grace,policy@grace,keys@grace"

    static func make(principal: String, publicKeyFile: String) throws -> String {
        let key = try Files.readString(publicKeyFile).split(separator: " ").prefix(2).joined(separator: " ")
        return "\(principal) namespaces=\"\(namespaces)\" \(key)"
    }
}

/// Reads a passphrase from the terminal without showing it.
enum Passphrase {
    static func ask(_ question: String) -> String? {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard terminal >= 0 else { return nil }
        defer { close(terminal) }
        var settings = termios()
        guard tcgetattr(terminal, &settings) == 0 else { return nil }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(terminal, TCSAFLUSH, &silent)
        defer { tcsetattr(terminal, TCSAFLUSH, &settings) }
        FileHandleless.write(question + " ", to: terminal)
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = read(terminal, &buffer, buffer.count)
        FileHandleless.write("\n", to: terminal)
        guard count > 0 else { return nil }
        return String(decoding: buffer.prefix(count).prefix { $0 != 10 }, as: UTF8.self)
    }
}
