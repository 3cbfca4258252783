using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FedKSeed.Cli.Run;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Generation;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Adapters;
using FedKSeed.Tokenization;
using TorchSharp;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed generate: what a model says to a text, an instruction, a data file, or line by line to a person.</summary>
internal sealed class GenerateVerb : IVerb
{
    private const int DefaultMaxNewTokens = 128;

    // Examples of a data file that are answered side by side.
    private const int BatchRows = 16;

    private readonly Option<DirectoryInfo> _model = CommonOptions.Model();
    private readonly Option<DirectoryInfo?> _adapter = CommonOptions.Adapter();
    private readonly Option<string?> _promptText = new("--prompt-text")
    {
        Description = "A text to go on with, as it is.",
        HelpName = ParseFaults.FreeText
    };
    private readonly Option<string?> _instruction = new("--instruction")
    {
        Description = "An instruction, put into the template or chat form.",
        HelpName = ParseFaults.FreeText
    };
    private readonly Option<string?> _input = new("--input")
    {
        Description = "What the instruction is about.",
        HelpName = ParseFaults.FreeText
    };
    private readonly Option<FileInfo?> _data = new("--data")
    {
        Description = $"Examples to answer, a line of JSON each: {CommonOptions.DataForms}.",
        HelpName = "FILE"
    };
    private readonly Option<DataFormat?> _format = CommonOptions.Format();
    private readonly Option<string?> _fields = CommonOptions.Fields();
    private readonly Option<int?> _limit = CommonOptions.Number(
        "--limit", "Examples of the file, evenly spaced; 0 for all. [default: 0]", 0, int.MaxValue);
    private readonly Option<FileInfo?> _template = CommonOptions.Template("--template", "--prompt");
    private readonly Option<ChatForm?> _chatForm = CommonOptions.ChatForm(
        "as the model was tuned: into its chat template, or its prompt template");
    private readonly Option<int?> _maxNewTokens = CommonOptions.Number(
        "--max-new-tokens", $"Longest answer. [default: {DefaultMaxNewTokens}]", 1, 1_000_000);
    private readonly Option<double?> _temperature = CommonOptions.Number(
        "--temperature",
        "Draw tokens instead of taking the likeliest: below 1 more, above 1 less like it; 0 does not draw. [default: 0; 1 with --top-p or "
            + "--top-k]",
        0.0, 100.0);
    private readonly Option<double?> _topP = CommonOptions.Number(
        "--top-p", "Draw from the likeliest tokens that make up this share. [default: 1]", 1e-6, 1.0);
    private readonly Option<int?> _topK = CommonOptions.Number(
        "--top-k", "Draw from as many of the likeliest tokens; 0 for all. [default: 0]", 0, int.MaxValue);
    private readonly Option<ulong?> _seed = CommonOptions.Number(
        "--seed", "The same seed draws the same tokens. [default: 0]", 0UL, ulong.MaxValue);
    private readonly Option<bool> _raw = new("--raw")
    {
        Description = "Lines of standard input are texts to go on with, not instructions."
    };
    private readonly Option<bool> _json = new("--json") { Description = "Print each answer as a line of JSON; --data does so anyhow." };
    private readonly Option<ComputeType?> _dataType = CommonOptions.DataType();
    private readonly Option<DeviceSetting?> _device = CommonOptions.Device();
    private readonly Option<int?> _threads = CommonOptions.Number(
        "--threads", "Threads of a tensor operation. [default: one a core]", 1, 256);

    public int Place => 70;

    public Command Create(VerbContext context)
    {
        var verb = new Command(
            "generate", "Let a model go on with a text or answer instructions; without any, it answers each line of standard input.")
        {
            _model, _adapter, _promptText, _instruction, _input, _data, _format, _fields, _limit, _template, _chatForm,
            _maxNewTokens, _temperature, _topP, _topK, _seed, _raw, _json, _dataType, _device, _threads,
        };
        verb.SetAction((parsed, cancel) => ExecuteAsync(parsed, context.Input, cancel));
        return verb;
    }

    private async Task<int> ExecuteAsync(ParseResult parsed, TextReader input, CancellationToken cancel)
    {
        var named = (Model: parsed.GetRequiredValue(_model).FullName, Adapter: parsed.GetValue(_adapter)?.FullName);
        var faults = Faults(parsed).Concat(RunPlan.ModelFaults(named.Model, named.Adapter)).ToList();
        if (faults.Count > 0)
            throw new UsageException(faults);
        var (source, adapter) = PeftFolder.Find(named.Model, named.Adapter);
        ModelPrompt? prompt = null;
        IReadOnlyList<Example> data = [];
        var file = parsed.GetValue(_template)?.FullName;
        faults.AddRange(UsageException.FaultsOf(
            file is null ? "--model" : "--template", RunPlan.PromptFolder(source, adapter),
            model => prompt = ModelPrompt.Of(model, file, parsed.GetValue(_chatForm))));
        DataReading reading = new() { Format = parsed.GetValue(_format) };
        faults.AddRange(UsageException.FaultsOf(
            "--fields", "", _ => reading = reading with { Fields = FieldNames.Parse(parsed.GetValue(_fields)) }));
        if (parsed.GetValue(_data) is { } examples)
            faults.AddRange(UsageException.FaultsOf("--data", examples.FullName, path => data = DataFile.Load(path, reading)));
        if (faults.Count > 0)
            throw new UsageException(faults);

        using var device = (parsed.GetValue(_device) ?? DeviceSetting.Auto).Open();
        torch.set_num_threads(parsed.GetValue(_threads) ?? Environment.ProcessorCount);
        using var model = CausalLanguageModel.Load(source, adapter, parsed.GetValue(_dataType) ?? ComputeType.F32, device);
        using var weights = model.BaseWeights();
        var encoder = model.Encoder(prompt!.Template, model.MaxLength, prompt.Chat);
        var writer = new Writer(
            model, weights, encoder, Settings(parsed, encoder), parsed.GetValue(_json), parsed.InvocationConfiguration.Output);
        if (data.Count > 0)
            writer.AnswerAll(EvenlySpaced.Of(data, parsed.GetValue(_limit) ?? 0), cancel);
        else if (parsed.GetValue(_promptText) is { } text)
            writer.Answer(new CompletionExample(text, ""), 0, cancel);
        else if (parsed.GetValue(_instruction) is { } instruction)
            writer.Answer(Asked(parsed, prompt, instruction, parsed.GetValue(_input)), 0, cancel);
        else
            await ConverseAsync(parsed, prompt, writer, input, cancel);
        return ExitCode.Done;
    }

    private IEnumerable<string> Faults(ParseResult parsed)
    {
        Option[] sources = [_promptText, _instruction, _data];
        var given = sources.Where(IsGiven).Select(option => option.Name).ToArray();
        if (given.Length > 1)
            yield return $"{string.Join(" and ", given)} exclude each other.";
        if (IsGiven(_input) && !IsGiven(_instruction))
            yield return "--input goes with --instruction.";
        foreach (var option in new Option[] { _format, _fields, _limit }.Where(option => IsGiven(option) && !IsGiven(_data)))
            yield return $"{option.Name} goes with --data.";
        if (parsed.GetValue(_raw) && given.Length > 0)
            yield return $"--raw is about lines of standard input, and {given[0]} is given.";
        foreach (var option in new[] { _promptText, _instruction }.Where(
            option => IsGiven(option) && string.IsNullOrWhiteSpace(parsed.GetValue(option))))
            yield return $"{option.Name} is empty.";

        bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };
    }

    private GenerationSettings Settings(ParseResult parsed, ExampleEncoder encoder)
    {
        var isDrawn = parsed.GetValue(_topP) is not null || parsed.GetValue(_topK) is not null;
        var temperature = parsed.GetValue(_temperature) ?? (isDrawn ? 1 : 0);
        var sampling = temperature == 0 ? null : new Sampling
        {
            Temperature = temperature,
            TopP = parsed.GetValue(_topP) ?? 1,
            TopK = parsed.GetValue(_topK) ?? 0,
            Seed = parsed.GetValue(_seed) ?? 0,
        };
        return new GenerationSettings(parsed.GetValue(_maxNewTokens) ?? DefaultMaxNewTokens, encoder.Ends, sampling);
    }

    private Example Asked(ParseResult parsed, ModelPrompt prompt, string instruction, string? input) =>
        parsed.GetValue(_chatForm) is null && !prompt.IsConversation
            ? new InstructionExample(instruction, input, "")
            : new ChatExample(null, [new ChatTurn(string.IsNullOrEmpty(input) ? instruction : $"{instruction}\n\n{input}", "")]);

    /// <summary>
    /// Line by line until the end of the input; Ctrl-C ends an answer with the process, as it does while a line is awaited.
    /// </summary>
    private async Task ConverseAsync(
        ParseResult parsed, ModelPrompt prompt, Writer writer, TextReader input, CancellationToken cancel)
    {
        var isTerminal = !Console.IsInputRedirected && !Console.IsErrorRedirected && input == Console.In;
        for (var number = 0; ; number++)
        {
            if (isTerminal)
                parsed.InvocationConfiguration.Error.Write("> ");
            string? line;
            try
            {
                // A console's ReadLineAsync blocks; the thread that is left waiting ends with the process.
                line = await Task.Run(input.ReadLine, cancel).WaitAsync(cancel);
            }
            catch (OperationCanceledException)
            {
                line = null;
            }
            if (line is null)
                return;
            if (!string.IsNullOrWhiteSpace(line))
                writer.Answer(parsed.GetValue(_raw) ? new CompletionExample(line, "") : Asked(parsed, prompt, line, null), number, cancel);
        }
    }

    private sealed class Writer(
        CausalLanguageModel model, ModelWeights weights, ExampleEncoder encoder, GenerationSettings settings, bool isJson,
        TextWriter output)
    {
        /// <summary>Writes an answer, for people as it comes.</summary>
        /// <param name="number">Of the text, for what is drawn.</param>
        public void Answer(Example example, int number, CancellationToken cancel)
        {
            if (isJson)
                Write([example], number, (question, answer, _) => new { question, answer }, cancel);
            else
                Stream(example, number, cancel);
        }

        /// <summary>A line of JSON for each example, in their order, some at a time.</summary>
        public void AnswerAll(IReadOnlyList<Example> examples, CancellationToken cancel)
        {
            foreach (var (first, batch) in examples.Chunk(BatchRows).Select((batch, i) => (i * BatchRows, batch)))
                Write(batch, first, (question, answer, wanted) => new { question, answer, wanted }, cancel);
        }

        /// <summary>Ends the line however it ends.</summary>
        private void Stream(Example example, int number, CancellationToken cancel)
        {
            var prompt = encoder.Prompt(example);
            var text = new StreamedText(encoder.Tokenizer);
            try
            {
                model.Generate(weights, [prompt], SettingsFor([prompt], number), (_, token) => Write(text.Add(token)), cancel);
                Write(text.End());
            }
            finally
            {
                output.WriteLine();
            }
        }

        private void Write(Example[] batch, int first, Func<string, string, string, object> line, CancellationToken cancel)
        {
            int[][] prompts = [.. batch.Select(example => encoder.Prompt(example))];
            var answers = model.Generate(weights, prompts, SettingsFor(prompts, first), written: null, cancel);
            foreach (var (example, answer) in batch.Zip(answers))
                output.WriteLine(JsonSerializer.Serialize(
                    line(example.Question, encoder.Tokenizer.Decode(answer), example.Output), CommonOptions.JsonFormat));
            output.Flush();
        }

        private GenerationSettings SettingsFor(int[][] prompts, int first)
        {
            var longest = prompts.Max(prompt => prompt.Length);
            var room = model.MaxLength - longest;
            return room < 1
                ? throw new FailureException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"a prompt of {longest} tokens leaves no room for an answer: the model takes {model.MaxLength} in all."))
                : settings with
                {
                    MaxNewTokens = Math.Min(settings.MaxNewTokens, room),
                    Sampling = settings.Sampling is { } drawn ? drawn with { FirstText = first } : null,
                };
        }

        private void Write(string text)
        {
            if (text.Length == 0)
                return;
            output.Write(text);
            output.Flush();
        }
    }
}
