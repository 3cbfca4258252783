using System.Text.RegularExpressions;
using FedKSeed.Cli.Run;
using FedKSeed.Cli.Verbs;
using FedKSeed.Federation;

namespace FedKSeed.Cli.Tests;

public sealed class OptionTests
{
    [Theory]
    [InlineData("0,001")]
    [InlineData("1,000")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("1_000")]
    [InlineData(" 1")]
    [InlineData("")]
    public void A_number_that_could_mean_something_else_is_none(string text) =>
        Assert.Equal(((double?)null, (int?)null), (NumberText.Number<double>(text), NumberText.Number<int>(text)));

    [Theory]
    [InlineData("0.001", 0.001)]
    [InlineData("1e-3", 0.001)]
    [InlineData("-2", -2.0)]
    public void A_number_has_a_point_or_none(string text, double value) => Assert.Equal(value, NumberText.Number<double>(text));

    [Theory]
    [InlineData("00:05:00", 300)]
    [InlineData("300s", 300)]
    [InlineData("1.5m", 90)]
    [InlineData("2h", 7200)]
    [InlineData("1d", 86_400)]
    [InlineData("0", 0)]
    [InlineData("5", null)]
    [InlineData("10:00", null)]
    [InlineData("-1s", null)]
    [InlineData("s", null)]
    [InlineData("1,5m", null)]
    public void A_time_has_a_unit_or_all_its_parts(string text, int? seconds) =>
        Assert.Equal(seconds is { } count ? TimeSpan.FromSeconds(count) : null, NumberText.Time(text));

    [Theory]
    [InlineData("run", "--epsilon", "0,001")]
    [InlineData("run", "--quorum", "0,01")]
    [InlineData("run", "--deadline", "5")]
    [InlineData("cluster", "--workers", "1,0")]
    [InlineData("generate", "--temperature", "0,7")]
    [InlineData("replay", "--version", "1,0")]
    [InlineData("bench", "--seconds", "0,5")]
    public async Task A_comma_or_a_missing_unit_is_refused_by_name(string verb, string option, string value)
    {
        var run = await CommandRun.Of(verb, option, value);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains($"fedkseed: {option} must be ", run.Errors, StringComparison.Ordinal);
        Assert.Contains($"not '{value}'", run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", run.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("there is no verb 'rnu'. Did you mean run?", "rnu", "--rounds", "3")]
    [InlineData("there is no verb 'federate'.", "federate")]
    [InlineData("run has no option '--rouns'. Did you mean --rounds?", "run", "--rouns", "3")]
    [InlineData("replay has no option '--bsae'. Did you mean --base?", "replay", "--bsae", "x")]
    [InlineData("run has no option '--zebra'.", "run", "--zebra")]
    [InlineData("a verb is needed: run, cluster, new, open")]
    [InlineData("--log is needed: The log: events.log of a run.", "verify")]
    [InlineData("--dir is needed: Folder of the running cluster.", "cluster", "status")]
    [InlineData("MODEL is needed: Base model, a Hugging Face folder.", "digest")]
    [InlineData("--rounds needs a value.", "run", "--rounds")]
    [InlineData("--data needs a value.", "evaluate", "--model", "x", "--data")]
    public async Task A_name_that_there_is_not_is_met_with_the_nearest_that_there_is(string said, params string[] arguments)
    {
        var run = await CommandRun.Of(arguments);

        Assert.Equal(2, run.ExitCode);
        Assert.StartsWith($"fedkseed: {said}", run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("'3'", run.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run", "run", "--rounds", "0,1")]
    [InlineData("cluster status", "cluster", "status")]
    [InlineData("", "federate")]
    public async Task Whoever_is_refused_is_shown_the_help_of_the_verb(string verb, params string[] arguments)
    {
        var run = await CommandRun.Of(arguments);

        Assert.EndsWith($"See: fedkseed {$"{verb} --help".TrimStart()}{Environment.NewLine}", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_says_nothing_is_told_how_to_begin() =>
        Assert.Contains("To begin: fedkseed run", (await CommandRun.Of()).Errors, StringComparison.Ordinal);

    [Theory]
    [InlineData("run", "--scheme", "--device", "--sampling", "--schedule", "--keep", "--client-rates", "--dtype", "--format", "--long")]
    [InlineData("cluster", "--scheme", "--device")]
    [InlineData("evaluate", "--device", "--dtype", "--format", "--long", "--chat-form")]
    [InlineData("generate", "--device", "--dtype", "--format", "--chat-form")]
    [InlineData("partition", "--by", "--format")]
    [InlineData("bench", "--shape", "--dtype")]
    public async Task What_takes_one_of_a_few_words_lists_them_in_help_in_completion_and_when_another_is_given(
        string verb, params string[] expected)
    {
        var help = Regex.Replace((await CommandRun.Of(verb, "--help")).Output, @"\s+", " ");
        var options = Regex.Matches(
                help,
                @"(?<option>--[a-z-]+)(, -\S+)* ((?<words>[^ |]+(\|[^ |]+)+)|WORD (?:(?! --).)*? One of (?<words>[^ ]+(, [^ ]+)*)\.( |$))")
            .ToDictionary(
                match => match.Groups["option"].Value,
                match => match.Groups["words"].Value.Split(["|", ", "], StringSplitOptions.None));

        Assert.Superset(expected.ToHashSet(), options.Keys.ToHashSet());
        foreach (var (option, words) in options)
        {
            var typed = $"fedkseed {verb} {option} ";
            var offered = (await CommandRun.Of($"[suggest:{typed.Length}]", typed)).Output.Split(Environment.NewLine);
            Assert.Superset(words.Where(word => !word.Any(char.IsUpper)).ToHashSet(), offered.ToHashSet());

            var refused = await CommandRun.Of(verb, option, "xyzzy");
            Assert.Equal(2, refused.ExitCode);
            Assert.Contains($"{option} must be {string.Join(" or ", words)}", refused.Errors, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("run --peft ", "full", "attention", "query-value")]
    [InlineData("bench ", "cpu", "cuda")]
    [InlineData("completion ", "bash", "zsh", "fish")]
    public async Task Words_are_offered_where_there_are_words(string typed, params string[] words)
    {
        var line = $"fedkseed {typed}";
        var offered = (await CommandRun.Of($"[suggest:{line.Length}]", line)).Output.Split(Environment.NewLine);

        Assert.Superset(words.ToHashSet(), offered.ToHashSet());
        Assert.DoesNotContain(offered, word => word.EndsWith('N') || word.EndsWith('B'));
    }

    [Fact]
    public async Task Every_verb_with_a_result_has_it_for_machines_too()
    {
        var help = (await CommandRun.Of("--help")).Output.Split(Environment.NewLine);
        var verbs = help.SkipWhile(line => line != "Verbs:").Skip(1).TakeWhile(line => line.Length > 0)
            .Select(line => Regex.Match(line, "^  ([a-z]+)").Groups[1].Value).Where(verb => verb.Length > 0).ToArray();
        Assert.Contains("run", verbs);

        // What completion prints is a script, for machines as it is.
        foreach (var verb in verbs.Except(["completion", "log", "token"])
            .Concat(["cluster status", "log show", "log tail", "token new", "token list", "token revoke"]))
            Assert.Contains("--json", (await CommandRun.Of([.. verb.Split(' '), "--help"])).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("run")]
    [InlineData("cluster")]
    [InlineData("cluster status")]
    [InlineData("digest")]
    [InlineData("replay")]
    [InlineData("verify")]
    [InlineData("partition")]
    [InlineData("evaluate")]
    [InlineData("generate")]
    [InlineData("bench")]
    [InlineData("doctor")]
    [InlineData("completion")]
    public async Task Help_is_readable_at_80_columns(string verb)
    {
        var run = await CommandRun.Of([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);

        Assert.Equal(0, run.ExitCode);
        Assert.All(run.Output.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
        Assert.Contains("--help", run.Output, StringComparison.Ordinal);
        Assert.Contains("--verbose", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_of_a_run_has_headings_and_every_option_once()
    {
        var run = await CommandRun.Of("run", "--help");

        foreach (var heading in new[] { "This run:", "Model and data:", "Steps of a client:", "Directions:", "Rounds:", "Every verb:" })
            Assert.Contains(heading, run.Output.Split(Environment.NewLine));
        Assert.All(
            new RunOptions().All,
            option => Assert.Single(run.Output.Split('\n'), line => Regex.IsMatch(line, $@"^  {option.Name}[ ,]|^  {option.Name}$")));
    }

    [Fact]
    public void Every_option_that_stands_for_a_setting_is_one_of_a_run()
    {
        var options = new RunOptions().All.Select(option => option.Name).ToHashSet();
        var named = typeof(FederationSettings).GetProperties().Select(property => RunOptionNames.Of(property.Name)).OfType<string>();

        Assert.All(named, name => Assert.True(options.Contains(name) || name.StartsWith("federation.", StringComparison.Ordinal), name));
        Assert.Equal("federation.maximumScalar", RunOptionNames.Of("MaximumScalar"));
        Assert.Null(RunOptionNames.Of("Nonsense"));
    }

    [Fact]
    public void A_fault_of_a_setting_names_its_option_or_its_place_in_the_file() =>
        Assert.Equal(
            "The product of --learning-rate and federation.maximumScalar must not exceed 1024.",
            RunOptionNames.InWordsOfOptions("The product of LearningRate and MaximumScalar must not exceed 1024."));

    [Fact]
    public async Task A_shell_that_nobody_knows_is_wrong_usage()
    {
        var run = await CommandRun.Of("completion", "tcsh");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("bash, zsh, fish", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_override_a_file_of_settings_and_its_faults_are_told_in_its_own_words()
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-tests-").FullName;
        var config = Path.Combine(folder, "federation.json");

        var faults = new Dictionary<string, string>
        {
            ["""{ "federation": { "rounds": 0 } }"""] = "--rounds must be between 1 and",
            ["""{ "federation": { "maximumScalar": -1 } }"""] = "federation.maximumScalar must be between",
            ["""{ "federation": { "ronds": 1 } }"""] = "line 1: there is no setting 'federation.ronds'",
            ["""{ "federation": { "rounds": "many" } }"""] = "line 1: federation.rounds is not a value of the kind that it takes",
            ["{"] = "it is not JSON",
        };
        foreach (var (text, said) in faults)
        {
            File.WriteAllText(config, text);
            var run = await CommandRun.Of("run", "--config", config, "--model", "/nowhere", "--output", Path.Combine(folder, "run"));
            Assert.Equal(2, run.ExitCode);
            Assert.Contains(said, run.Errors, StringComparison.Ordinal);
        }
        File.WriteAllText(config, """{ "federation": { "rounds": 0 } }""");
        var overridden = await CommandRun.Of(
            "run", "--config", config, "--rounds", "3", "--model", "/nowhere", "--output", Path.Combine(folder, "run"));
        Assert.DoesNotContain("--rounds", overridden.Errors, StringComparison.Ordinal);
        var missing = await CommandRun.Of("run", "--config", "/nowhere.json");
        Assert.Contains("--config: there is no file '/nowhere.json'", missing.Errors, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }
}
