using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FedKSeed.Cli.Display;
using FedKSeed.Cli.Run;
using FedKSeed.Experiments;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed experiment: many runs on the sample that answer one question, with several keys and their spread.</summary>
internal sealed class ExperimentVerb : IVerb
{
    public int Place => 85;

    public Command Create(VerbContext context)
    {
        var name = new Argument<string>("experiment")
        {
            Description = string.Join(' ', Experiment.All.Select(experiment => $"{experiment.Name}: {experiment.Question}")),
            HelpName = string.Join('|', Names),
        };
        name.CompletionSources.Add([.. Names]);
        name.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && Find(result.Tokens[0].Value) is null)
                result.AddError($"The experiment must be {string.Join(" or ", Names)}, not '{result.Tokens[0].Value}'.");
        });
        var output = new Option<DirectoryInfo?>("--output")
        {
            HelpName = "DIR",
            Description = "Folder for results and runs; what is there is not run again. [default: experiments/NAME]",
        };
        var rounds = CommonOptions.Number("--rounds", "Rounds of every run. [default: as the experiment has it]", 1, 1_000_000);
        var keys = CommonOptions.Number("--keys", "Pool keys of every arm. [default: as the experiment has it]", 1, 1000);
        var threads = CommonOptions.Number("--threads", "Assignments worked off at once. [default: one a core]", 1, 256);
        var json = CommonOptions.Json();
        var verb = new Command("experiment", "Answer a question about tuning with many runs on the sample: a table, a plot, every log.")
        {
            name, output, rounds, keys, threads, json,
        };
        verb.SetAction(async (parsed, cancel) =>
        {
            var asked = Find(parsed.GetRequiredValue(name))!;
            var experiment = asked with
            {
                Keys = parsed.GetValue(keys) ?? asked.Keys,
                Common = asked.Common with { Rounds = parsed.GetValue(rounds) ?? asked.Common.Rounds },
            };
            var folder = parsed.GetValue(output)?.FullName ?? Path.Combine("experiments", experiment.Name);
            using var owned = OwnedFolder.Take(folder, "fedkseed experiment");
            context.Interruption.GoOn = "The same command goes on with the runs that are not done.";
            var isJson = parsed.GetValue(json);
            var screen = Screen.Of(parsed.InvocationConfiguration, isJson, parsed.GetValue(context.Verbose));
            var job = new ExperimentJob(experiment, owned.Path, parsed.GetValue(threads) ?? Environment.ProcessorCount, screen);
            var outcomes = await job.RunAsync(cancel);
            if (isJson)
                parsed.InvocationConfiguration.Output.WriteLine(
                    JsonSerializer.Serialize(new { experiment = experiment.Name, page = job.Page, outcomes }, CommonOptions.JsonFormat));
            else
                screen.Line(string.Create(CultureInfo.InvariantCulture, $"{outcomes.Count} runs; the table is in {job.Page}."));
            return ExitCode.Done;
        });
        return verb;
    }

    private static IEnumerable<string> Names => Experiment.All.Select(experiment => experiment.Name);

    private static Experiment? Find(string name) => Experiment.All.FirstOrDefault(experiment => experiment.Name == name);
}
