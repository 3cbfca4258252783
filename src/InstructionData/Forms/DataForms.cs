using FedKSeed.InstructionData.Sources;

namespace FedKSeed.InstructionData.Forms;

/// <summary>The forms that data may have, in the order in which they are tried. Immutable.</summary>
public sealed record DataForms(IReadOnlyList<IDataForm> All)
{
    /// <summary>Every form there is. A new one goes to the end: a record that has two forms keeps the one it had.</summary>
    public static DataForms Standard { get; } = new(
    [
        new AlpacaForm(),
        new DollyForm(),
        new CompletionForm(),
        new MessagesForm(),
        new NaturalInstructionsForm(),
        new PreferenceForm(),
        new SquadForm(),
        new QuestionAnswerForm(),
        new PromptResponseForm(),
        new InputOutputForm(),
    ]);

    /// <summary>These and one more.</summary>
    public DataForms With(IDataForm form) => new([.. All, form]);

    /// <summary>Every field that some form knows.</summary>
    public IEnumerable<string> Fields =>
        All.SelectMany(form => form.Needed.SelectMany(fields => fields).Concat(form.Optional)).Distinct(StringComparer.Ordinal);

    /// <exception cref="InvalidDataException">There is no form of that name.</exception>
    internal IDataForm Find(DataFormat format) => All.FirstOrDefault(form => form.Name == format.Name)
        ?? throw new InvalidDataException(
            $"'{format.Name}' is no form of data; there are {string.Join(", ", All.Select(form => form.Name))}.");

    /// <summary>The form that most of the records have, the first of them in a tie; null where none has any.</summary>
    internal IDataForm? Detect(IReadOnlyList<RecordFields> records)
    {
        var best = All.Select(form => (Form: form, Count: records.Count(record => Has(form, record)))).MaxBy(pair => pair.Count);
        return best.Count > 0 ? best.Form : null;
    }

    /// <summary>The records that a document unfolds into, or itself.</summary>
    internal IEnumerable<RawRecord> Unfolded(RawRecord record, string path) => record.Fault is not null
        ? [record]
        : All.Select(form => form.Unfold(record, path)).FirstOrDefault(records => records is not null) ?? [record];

    /// <summary>For a message: every form with the fields it needs.</summary>
    internal string Describe() => string.Join(
        "; ", All.Select(form => $"{form.Name} ({string.Join(" or ", form.Needed.Select(fields => string.Join(", ", fields)))})"));

    private static bool Has(IDataForm form, RecordFields record) =>
        record.IsObject && form.Needed.Any(fields => fields.All(record.Has));
}
