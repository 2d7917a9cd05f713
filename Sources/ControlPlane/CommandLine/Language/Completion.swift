/// Completion scripts from the table of commands.
enum Completion {
    /// A script for bash: nouns, then verbs, then options and their few values.
    static func bash(_ commands: [Command]) -> String {
        var verbs: [(noun: String, verbs: [String])] = []
        for command in commands {
            guard let noun = command.words.first else { continue }
            let verb = Array(command.words.dropFirst())
            if let index = verbs.firstIndex(where: { $0.noun == noun }) {
                verbs[index].verbs += verb
            } else {
                verbs.append((noun, verb))
            }
        }
        var text = "_turnpike() {\n"
        text += "    local current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
        text += "    local previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
        text += "    local command=\"${COMP_WORDS[1]} ${COMP_WORDS[2]}\"\n"
        text += "    local words=\"\"\n"
        text += "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        text += "        words=\"\(verbs.map(\.noun).joined(separator: " ")) help\"\n"
        text += "    elif [ \"$previous\" = \"--wait\" ]; then\n        words=\"enforced\"\n"
        text += "    elif [ \"$previous\" = \"-f\" ]; then\n"
        text += "        COMPREPLY=($(compgen -f -- \"$current\"))\n        return\n"
        text += "    else\n"
        text += "        case \"$COMP_CWORD $command\" in\n"
        for (noun, verbs) in verbs where !verbs.isEmpty {
            text += "            \"2 \(noun) \"*) words=\"\(verbs.joined(separator: " "))\" ;;\n"
        }
        for command in commands {
            let options = command.allOptions.map(\.name).joined(separator: " ")
            let pattern = command.words.count == 1 ? "\(command.name) \"*" : "\(command.name)\""
            text += "            *\" \(pattern)) words=\"\(options)\" ;;\n"
        }
        text += "        esac\n    fi\n"
        text += "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
        text += "}\ncomplete -F _turnpike turnpike\n"
        return text
    }
}
