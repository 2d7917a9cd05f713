extension DatabaseURL {
    /// What the programs of PostgreSQL need to connect: nothing of it stands on a command line.
    package var clientEnvironment: [String: String] {
        var environment = [
            "PGHOST": hosts.map(\.name).joined(separator: ","),
            "PGPORT": hosts.map { String($0.port) }.joined(separator: ","),
            "PGUSER": user,
            "PGDATABASE": database,
            "PGSSLMODE": sslMode.rawValue,
            "PGGSSENCMODE": "disable",
            "PGCONNECT_TIMEOUT": "10",
            "PGTARGETSESSIONATTRS": "read-write",
            "PGAPPNAME": "turnpike-transfer",
        ]
        environment["PGPASSWORD"] = password
        environment["PGSSLROOTCERT"] = rootCertificateFile
        environment["PGSSLCERT"] = certificateFile
        environment["PGSSLKEY"] = keyFile
        return environment
    }
}
