using System.CommandLine;
using System.Text.Json;
using FedKSeed.Bench;
using FedKSeed.Cli.Display;
using FedKSeed.Cli.Doctor;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.Perturbation.Cuda;

namespace FedKSeed.Cli.Verbs;

/// <summary>
/// fedkseed bench: rebuild, perturbation, update, forward pass and step of a model's shape, against memory and against plain loops.
/// </summary>
internal sealed class BenchVerb : IVerb
{
    private const int DefaultSeeds = 4096, DefaultTokens = 256;

    public int Place => 80;

    public Command Create(VerbContext context)
    {
        var shapes = ModelShape.Known.Select((shape, at) => (shape.Name, at)).ToDictionary(pair => pair.Name, pair => pair.at);
        // The first card that there is would be another one on another day.
        string[] devices = [.. DeviceSetting.Forms.Where(form => form != DeviceSetting.Auto.ToString())];
        var device = new Argument<string>("device")
        {
            Description = $"What to measure: {string.Join(" or ", devices)}. [default: cpu]",
            Arity = ArgumentArity.ZeroOrOne,
            DefaultValueFactory = _ => "cpu"
        };
        device.Validators.Add(result =>
        {
            var text = result.Tokens.Count == 0 ? "cpu" : result.Tokens[0].Value;
            if (!DeviceSetting.TryParse(text, out var setting) || setting == DeviceSetting.Auto)
                result.AddError($"The device must be {string.Join(" or ", devices)}, not '{text}'.");
        });
        device.CompletionSources.Add([.. CommonOptions.Words(devices)]);
        var shape = CommonOptions.Word<int>(
            "--shape", shapes.Keys, "Shape of the model, a LLaMA. [default: 1.3b]", name => shapes.TryGetValue(name, out var at)
                ? at
                : null);
        var seeds = CommonOptions.Number("--seeds", $"Directions in the pool, K. [default: {DefaultSeeds}]", 1, 65_536);
        var tokens = CommonOptions.Number("--tokens", $"In the batch of forward pass and step. [default: {DefaultTokens}]", 1, 2048);
        var dataType = CommonOptions.DataType();
        var threads = CommonOptions.Number("--threads", "Threads to use. [default: one a core]", 1, 256);
        var seconds = CommonOptions.Number(
            "--seconds", "Time for each measurement, about; a step gets twice that. [default: 1]", 0.01, 600.0);
        var whole = new Option<bool>("--whole")
        {
            Description = "Rebuild a whole checkpoint of the shape, from file to file, instead of measuring slices. Takes as much room on "
                + "the disk of temporary files.",
        };
        var json = CommonOptions.Json();
        var verb = new Command("bench", "Measure a model's shape on this machine: rebuild, perturb, update, forward pass, step.")
        {
            device, shape, seeds, tokens, dataType, threads, seconds, whole, json,
        };
        verb.Validators.Add(result =>
        {
            if (result.GetValue(whole) && result.GetResult(device) is { Tokens: [{ Value: not "cpu" }] })
                result.AddError("--whole measures the processor, not a card.");
        });
        verb.SetAction((parsed, cancel) =>
        {
            if (parsed.GetValue(whole))
                return Task.FromResult(Whole(parsed, cancel));
            using var opened = Open(DeviceSetting.Parse(parsed.GetValue(device)!));
            var request = new BenchRequest(
                ModelShape.Known[parsed.GetValue(shape) ?? shapes["1.3b"]],
                parsed.GetValue(dataType) ?? (opened == ModelDevice.Cpu ? ComputeType.F32 : ComputeType.BF16),
                parsed.GetValue(seeds) ?? DefaultSeeds, parsed.GetValue(tokens) ?? DefaultTokens, parsed.GetValue(threads)
                    ?? Environment.ProcessorCount,
                TimeSpan.FromSeconds(parsed.GetValue(seconds) ?? 1));
            var isJson = parsed.GetValue(json);
            var screen = Screen.Of(parsed.InvocationConfiguration, isJson, parsed.GetValue(context.Verbose));
            var report = new ShapeBench(request, opened, screen.During, cancel).Run();
            if (isJson)
                parsed.InvocationConfiguration.Output.WriteLine(JsonSerializer.Serialize(report, CommonOptions.JsonFormat));
            else
                screen.Show(BenchDisplay.Of(report));
            return Task.FromResult(ExitCode.Done);
        });
        return verb;

        int Whole(ParseResult parsed, CancellationToken cancel)
        {
            var isJson = parsed.GetValue(json);
            var screen = Screen.Of(parsed.InvocationConfiguration, isJson, parsed.GetValue(context.Verbose));
            // Without torch, as replay: what is resident is the rebuild's.
            var report = WholeRebuild.Run(
                ModelShape.Known[parsed.GetValue(shape) ?? shapes["1.3b"]], parsed.GetValue(seeds) ?? DefaultSeeds,
                parsed.GetValue(threads) ?? Environment.ProcessorCount, screen.During, cancel);
            if (isJson)
                parsed.InvocationConfiguration.Output.WriteLine(JsonSerializer.Serialize(report, CommonOptions.JsonFormat));
            else
                screen.Show(BenchDisplay.Of(report));
            return ExitCode.Done;
        }
    }

    /// <exception cref="FailureException">It cannot be used; the message says what <c>fedkseed doctor</c> says about it.</exception>
    private static ModelDevice Open(DeviceSetting setting)
    {
        try
        {
            return setting.Open();
        }
        catch (CudaException fault)
        {
            var mend = ComputingFindings.Cards().Select(finding => finding.Mend).FirstOrDefault(mend => mend is not null);
            throw new FailureException($"{fault.Message} {mend} See: fedkseed doctor".Replace("  ", " ", StringComparison.Ordinal));
        }
    }
}
