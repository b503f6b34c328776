import ArgumentParser

/// A small HTTP service over a SQLite file of users: Grace's example of something live that gets slow.
@main
struct UsersService: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "users-service",
        abstract: "A small HTTP service over a SQLite file of users, and the steady traffic it lives under.",
        subcommands: [Create.self, Serve.self, Traffic.self])
}
