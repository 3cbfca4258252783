using System.CommandLine;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed completion: what a shell needs to complete verbs and options.</summary>
internal sealed class CompletionVerb : IVerb
{
    /// <summary>A shell's script; the command itself says what fits, by the directive that System.CommandLine answers.</summary>
    private static readonly Dictionary<string, string> Scripts = new(StringComparer.Ordinal)
    {
        ["bash"] =
            """
            # In ~/.bashrc: source <(fedkseed completion bash)
            _fedkseed() {
              local IFS=$'\n' line=${COMP_LINE:0:COMP_POINT}
              line="fedkseed ${line#* }"
              mapfile -t COMPREPLY < <(compgen -W "$("$1" "[suggest:${#line}]" "$line" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}")
            }
            complete -o default -F _fedkseed fedkseed
            """,
        ["zsh"] =
            """
            # In ~/.zshrc, after compinit: source <(fedkseed completion zsh)
            _fedkseed() {
              local -a typed found
              typed=(fedkseed ${words[2,CURRENT-1]})
              local line="${(j: :)typed} $PREFIX"
              found=(${(f)"$(${words[1]} "[suggest:${#line}]" "$line" 2>/dev/null)"})
              compadd -a found || _files
            }
            compdef _fedkseed fedkseed
            """,
        ["fish"] =
            """
            # In ~/.config/fish/completions/fedkseed.fish: fedkseed completion fish | source
            function __fedkseed
              set -l words (commandline -opc)
              set -l line (string join ' ' -- fedkseed $words[2..-1] (commandline -ct))
              set -l found ($words[1] "[suggest:"(string length -- $line)"]" "$line" 2>/dev/null)
              string match -q -- (commandline -ct)'*' $found; and string join \n -- $found; or __fish_complete_path (commandline -ct)
            end
            complete -c fedkseed -f -a '(__fedkseed)'
            """,
    };

    public int Place => 100;

    public Command Create(VerbContext context)
    {
        var shell = new Argument<string>("shell") { Description = $"One of {string.Join(", ", Scripts.Keys)}." };
        shell.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !Scripts.ContainsKey(token.Value))
                result.AddError($"The shell must be one of {string.Join(", ", Scripts.Keys)}, not '{token.Value}'.");
        });
        shell.CompletionSources.Add([.. Scripts.Keys]);
        var verb = new Command("completion", "Print a script that completes verbs and options in bash, zsh or fish.") { shell };
        verb.SetAction(parsed =>
        {
            parsed.InvocationConfiguration.Output.WriteLine(Scripts[parsed.GetRequiredValue(shell)]);
            return ExitCode.Done;
        });
        return verb;
    }
}
