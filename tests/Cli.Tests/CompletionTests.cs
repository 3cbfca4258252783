using System.Diagnostics;
using System.Runtime.Versioning;
using FedKSeed.Tests;

namespace FedKSeed.Cli.Tests;

/// <summary>The scripts of fedkseed completion, in the shells that they are for.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class CompletionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>What a person types, and what is there after the tabulator: all that fits, or the one thing.</summary>
    public static TheoryData<string, string[]> Typed => new()
    {
        { "fedkseed veri", ["verify"] },
        { "fedkseed cluster sta", ["status"] },
        { "fedkseed excl", ["exclude"] },
        { "fedkseed token revo", ["revoke"] },
        { "fedkseed watch a --token-f", ["--token-file"] },
        { "fedkseed run --rou", ["--rounds"] },
        { "fedkseed run --synchronous --sampling shr", ["shrunk-importance"] },
        { "./fedkseed completion zs", ["zsh"] },
        { "fedkseed replay --log a-f", ["a-file"] },
    };

    [Theory]
    [MemberData(nameof(Typed))]
    public async Task Bash_completes_verbs_options_words_and_files(string line, string[] found)
    {
        // What bash sets and calls; files are its own, which "-o default" asks for where nothing fits.
        var said = await SayAsync(
            "bash",
            $$"""
            source <(fedkseed completion bash)
            [[ $(complete -p fedkseed) == *"-o default"* ]] || exit 1
            COMP_LINE='{{line}}'; COMP_POINT=${#COMP_LINE}
            COMP_WORDS=({{line}}); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _fedkseed "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}"
            printf '%s\n' "${COMPREPLY[@]:-$(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")}"
            """,
            "--norc");

        Assert.Equal(found, said);
    }

    [Theory]
    [MemberData(nameof(Typed))]
    public async Task Zsh_completes_verbs_options_words_and_files(string line, string[] found)
    {
        // A shell on a terminal of its own, into which a person types the line, a tabulator, and a key that shows what is there then.
        var said = await SayAsync(
            "zsh",
            $$"""
            zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell 'PS1=; autoload -Uz compinit; compinit -u -D; source <(fedkseed completion zsh)'
            zpty -w shell 'show() { print -r -- "SH""OWN<$BUFFER>"; BUFFER= }; zle -N show; bindkey "^X" show'
            zpty -w -n shell '{{line}}'$'\t\x18'
            for (( tries = 0; tries < 300; tries++ )); do
              while zpty -r -t shell part; do all+=$part; done
              [[ $all == *'SHOWN<'*'>'* ]] && break
              sleep 0.1
            done
            print -r -- "${${all##*SHOWN<}%%>*}"
            """,
            "-f");

        var before = line[..(line.LastIndexOf(' ') + 1)];
        Assert.Equal(before + Assert.Single(found), Assert.Single(said).TrimEnd());
    }

    [Theory]
    [MemberData(nameof(Typed))]
    public async Task Fish_completes_verbs_options_words_and_files(string line, string[] found)
    {
        var said = await SayAsync("fish", $"fedkseed completion fish | source; complete -C '{line}'", "--no-config");

        Assert.Equal(found, said.Select(word => word.Split('\t')[0]));
    }

    [Fact]
    public async Task An_empty_word_is_met_with_every_verb()
    {
        var said = await SayAsync(
            "bash",
            """
            source <(fedkseed completion bash)
            COMP_LINE='fedkseed '; COMP_POINT=9; COMP_WORDS=(fedkseed ''); COMP_CWORD=1
            _fedkseed fedkseed ''
            printf '%s\n' "${COMPREPLY[@]}"
            """,
            "--norc");

        Assert.Superset(
            new HashSet<string> { "run", "cluster", "replay", "verify", "partition", "evaluate", "generate", "bench", "doctor", "--help" },
            said.ToHashSet());
        Assert.DoesNotContain(said, word => word.StartsWith('/'));
    }

    public void Dispose() => _folder.Dispose();

    private async Task<string[]> SayAsync(string shell, string script, params string[] options)
    {
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Any(folder => File.Exists(Path.Combine(folder, shell)));
        if (shell != "bash")
            Assert.SkipUnless(found, $"{shell} is not installed here, so its completion is not tried.");
        _folder.Write("a-file", "");
        // A program that is called so, in a folder of the path and in the one where the shell stands.
        var assembly = Path.Combine(AppContext.BaseDirectory, "fedkseed.dll");
        var program = _folder.Write("fedkseed", $"#!/bin/sh\nexec dotnet '{assembly}' \"$@\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using var process = Process.Start(new ProcessStartInfo(shell, [.. options, "-c", script])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = _folder.Path,
            Environment = { ["PATH"] = $"{_folder.Path}:{Environment.GetEnvironmentVariable("PATH")}", ["HOME"] = _folder.Path },
        })!;
        var said = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return said.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
