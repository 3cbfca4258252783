using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels;

namespace FedKSeed.Cli.Run;

/// <summary>What becomes of a run's data on its way into tokens, said before anything is computed.</summary>
internal static class RunData
{
    /// <summary>What is not taken, cut or dropped, a line each.</summary>
    /// <exception cref="UsageException">A file has no example with an answer: each is named.</exception>
    public static IReadOnlyList<string> Notes(RunPlan plan, IProgress<double> progress, CancellationToken cancel)
    {
        using var source = CausalLanguageModel.Load(plan.Model, plan.ComputeType);
        var model = source.With(plan.Federation.Directions);
        var prompt = plan.ModelPrompt();
        var encoder = model.Encoder(prompt.Template, plan.MaximumTokens, prompt.Chat) with { WhenTooLong = plan.LongExamples };
        List<string> notes = [], faults = [];
        if (DataFolder.Of(plan.Data).NotTaken is { Count: > 0 } others)
            notes.Add($"Not taken from {plan.Data}: {string.Join(", ", others)}.");
        string[] files = [.. plan.ClientFiles().Values, plan.HeldOut];
        for (var i = 0; i < files.Length; i++)
        {
            cancel.ThrowIfCancellationRequested();
            EncodedExamples? encoded = null;
            faults.AddRange(UsageException.FaultsOf(
                "--data", files[i], file => encoded = Encoded(encoder, file, DataFile.Load(file, plan.Reading()))));
            if (encoded is not null && Note(Path.GetFileName(files[i]), encoded, encoder.MaxLength) is { } note)
                notes.Add(note);
            if (encoded is { Sequences.Count: 0 })
                faults.Add($"--data: {files[i]}: {NoAnswer(encoder.MaxLength)}");
            progress.Report((i + 1.0) / files.Length);
        }
        return faults.Count == 0 ? notes : throw new UsageException(faults);
    }

    /// <summary>Whether the run teaches conversations: its held-out file holds nothing else.</summary>
    public static bool IsConversation(RunPlan plan) =>
        DataFile.Load(plan.HeldOut, plan.Reading()).All(example => example is ChatExample);

    // A template that refuses an example says where the template does so, and which example it is, but not of which file.
    private static EncodedExamples Encoded(ExampleEncoder encoder, string file, IReadOnlyList<Example> examples)
    {
        try
        {
            return encoder.Encode(examples);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{file}: {e.Message}", e);
        }
    }

    /// <summary>What was too long in a file; null where nothing was.</summary>
    public static string? Note(string file, EncodedExamples encoded, int maxLength) => encoded.Truncated == 0 && encoded.Dropped == 0
        ? null
        : $"{file}: {encoded.Truncated} of {encoded.Sequences.Count + encoded.Dropped} examples are longer than {maxLength} tokens: "
            + $"{encoded.InputCut} lost part of their input, {encoded.AnswerCut} the end of their answer, {encoded.Dropped} were dropped.";

    public static string NoAnswer(int maxLength) =>
        $"no example has an answer within {maxLength} tokens; a larger --max-tokens or another --long may help.";
}
