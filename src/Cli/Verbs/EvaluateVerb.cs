using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FedKSeed.Cli.Display;
using FedKSeed.Cli.Run;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Evaluation;
using FedKSeed.Observation;
using FedKSeed.Perturbation.Adapters;
using Spectre.Console;
using TorchSharp;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed evaluate: how well a model folder does on a data file.</summary>
internal sealed class EvaluateVerb : IVerb
{
    private const int DefaultMaxTokens = 1024, DefaultMaxNewTokens = 128;

    public int Place => 60;

    public Command Create(VerbContext context)
    {
        var model = CommonOptions.Model();
        var adapter = CommonOptions.Adapter();
        var data = new Option<FileInfo>("--data")
        {
            Description = $"Examples: {CommonOptions.DataForms}.",
            HelpName = "FILE",
            Required = true
        };
        var prompt = CommonOptions.Template("--prompt", "--template");
        var format = CommonOptions.Format();
        var fields = CommonOptions.Fields();
        var chatForm = CommonOptions.ChatForm("the model's own");
        var longWay = CommonOptions.Long();
        var limit = CommonOptions.Number("--limit", "Examples to score, evenly spaced; 0 for all. [default: 0]", 0, int.MaxValue);
        var maxTokens = CommonOptions.Number(
            "--max-tokens", $"Longest example. [default: {DefaultMaxTokens}]", 8, 1_000_000);
        var maxNewTokens = CommonOptions.Number("--max-new-tokens", $"Longest answer. [default: {DefaultMaxNewTokens}]", 1, 100_000);
        var threads = CommonOptions.Number("--threads", "Threads of a tensor operation. [default: one a core]", 1, 256);
        var dataType = CommonOptions.DataType();
        var device = CommonOptions.Device();
        var json = CommonOptions.Json();
        var verb = new Command("evaluate", "Score a model on a data file: loss, perplexity, exact match, ROUGE-L.")
        {
            model, adapter, data,
            prompt, format, fields, chatForm, limit, maxTokens, longWay, maxNewTokens, dataType, device, threads, json,
        };
        verb.SetAction((parsed, cancel) =>
        {
            var request = new Request(
                parsed.GetRequiredValue(model), parsed.GetValue(adapter), parsed.GetRequiredValue(data),
                parsed.GetValue(prompt), parsed.GetValue(format),
                parsed.GetValue(fields), parsed.GetValue(chatForm), parsed.GetValue(limit) ?? 0,
                parsed.GetValue(maxTokens) ?? DefaultMaxTokens, parsed.GetValue(longWay) ?? LongExamples.CutInput,
                parsed.GetValue(maxNewTokens) ?? DefaultMaxNewTokens, parsed.GetValue(dataType) ?? ComputeType.F32,
                parsed.GetValue(device) ?? DeviceSetting.Auto, parsed.GetValue(threads) ?? Environment.ProcessorCount);
            var isJson = parsed.GetValue(json);
            var screen = Screen.Of(parsed.InvocationConfiguration, isJson, parsed.GetValue(context.Verbose));
            var scores = Execute(request, screen, cancel);
            if (isJson)
                parsed.InvocationConfiguration.Output.WriteLine(JsonSerializer.Serialize(scores, CommonOptions.JsonFormat));
            else
                screen.Show(Table(scores));
            return Task.FromResult(ExitCode.Done);
        });
        return verb;
    }

    private sealed record Request(
        DirectoryInfo Model, DirectoryInfo? Adapter, FileInfo Data,
        FileInfo? Prompt, DataFormat? Format, string? Fields, ChatForm? ChatForm,
        int Limit, int MaxTokens, LongExamples Long, int MaxNewTokens, ComputeType DataType, DeviceSetting Device, int Threads);

    /// <param name="Loss">Nats a token; null when not finite.</param>
    /// <param name="Truncated">Examples that were cut for the loss.</param>
    /// <param name="Dropped">Those of them that had no answer left.</param>
    /// <param name="Unasked">Examples whose prompt leaves no room for an answer: exact match and ROUGE-L leave them out.</param>
    /// <param name="Seconds">What scoring took, loading left out.</param>
    private sealed record Scores(
        string Model, string Format, int Examples, double? Loss, double? Perplexity, double ExactMatch, double RougeL,
        int Truncated, int Dropped, int Unasked, double Seconds);

    private static Scores Execute(Request request, Screen screen, CancellationToken cancel)
    {
        var faults = RunPlan.ModelFaults(request.Model.FullName, request.Adapter?.FullName).ToList();
        if (faults.Count > 0)
            throw new UsageException(faults);
        var (source, adapter) = PeftFolder.Find(request.Model.FullName, request.Adapter?.FullName);
        DataFile? data = null;
        ModelPrompt? prompt = null;
        DataReading reading = new() { Format = request.Format };
        faults.AddRange(UsageException.FaultsOf(
            "--fields", request.Fields ?? "", _ => reading = reading with { Fields = FieldNames.Parse(request.Fields) }));
        faults.AddRange(UsageException.FaultsOf("--data", request.Data.FullName, path => data = DataFile.Read(path, reading)));
        faults.AddRange(UsageException.FaultsOf(
            request.Prompt is null ? "--model" : "--prompt", RunPlan.PromptFolder(source, adapter),
            folder => prompt = ModelPrompt.Of(folder, request.Prompt?.FullName, request.ChatForm)));
        if (faults.Count > 0)
            throw new UsageException(faults);

        using var device = request.Device.Open();
        torch.set_num_threads(request.Threads);
        var time = TimeProvider.System;
        using var model = CausalLanguageModel.Load(source, adapter, request.DataType, device);
        using var weights = model.BaseWeights();
        var encoder = model.Encoder(prompt!.Template, request.MaxTokens, prompt.Chat) with { WhenTooLong = request.Long };
        var examples = EvenlySpaced.Of([.. data!.Records.Select(record => record.Example)], request.Limit);
        var evaluator = EvaluatorOf(model, encoder, examples, request);
        if (RunData.Note(request.Data.Name, evaluator.Encoded, encoder.MaxLength) is { } note)
            screen.Line(note);
        var started = time.GetTimestamp();
        var evaluation = screen.During(
            $"Scoring {examples.Count} examples ({DataFormats.Name(data.Format)})",
            progress => evaluator.Evaluate(weights, progress, cancel));
        return new Scores(
            request.Model.FullName, DataFormats.Name(data.Format), examples.Count, Finite(evaluation.Loss), Finite(evaluation.Perplexity),
            evaluation.ExactMatch, evaluation.RougeL, evaluator.Encoded.Truncated, evaluator.Encoded.Dropped, evaluator.Unasked,
            time.GetElapsedTime(started).TotalSeconds);
    }

    private static Evaluator EvaluatorOf(
        CausalLanguageModel model, ExampleEncoder encoder, IReadOnlyList<Example> examples, Request request)
    {
        try
        {
            return new Evaluator(model, encoder, examples, request.MaxNewTokens);
        }
        catch (NoExampleFitsException)
        {
            throw new UsageException([$"--data: {request.Data.FullName}: {RunData.NoAnswer(encoder.MaxLength)}"]);
        }
    }

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;

    private static Table Table(Scores scores)
    {
        var table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("").AddColumn(new TableColumn("").RightAligned());
        Row("loss", scores.Loss?.ToString("F4", CultureInfo.InvariantCulture) ?? "not finite");
        Row("perplexity", scores.Perplexity?.ToString("G5", CultureInfo.InvariantCulture) ?? "not finite");
        Row("exact match", Quantity.Share(scores.ExactMatch));
        Row("ROUGE-L", Quantity.Share(scores.RougeL));
        Row("examples", Whole(scores.Examples));
        if (scores.Truncated > 0)
            Row("cut off", $"{Whole(scores.Truncated)} ({Whole(scores.Dropped)} without an answer left)");
        if (scores.Unasked > 0)
            Row("prompt too long", Whole(scores.Unasked));
        Row("seconds", scores.Seconds.ToString("F1", CultureInfo.InvariantCulture));
        return table;

        void Row(string name, string value) => table.AddRow(name, value);
    }

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);
}
