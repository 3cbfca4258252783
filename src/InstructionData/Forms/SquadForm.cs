using System.Text.Json;
using FedKSeed.InstructionData.Sources;

namespace FedKSeed.InstructionData.Forms;

/// <summary>
/// SQuAD: a question about a text and the passages that answer it. Its own nested file gives a record for each question, as the data
/// set is also passed around. A question without an answer (SQuAD 2) wants the empty one, as in the data set's own scoring.
/// </summary>
internal sealed class SquadForm : IDataForm
{
    public string Name => "squad";

    public IReadOnlyList<IReadOnlyList<string>> Needed => [["question", "context", "answers"]];

    public IReadOnlyList<string> Optional => [];

    public Example Read(RecordFields record)
    {
        var answers = record.Structured("answers");
        // {"text": [...], "answer_start": [...]}, or a list of {"text": ..., "answer_start": ...}.
        var texts = answers.ValueKind switch
        {
            JsonValueKind.Object => new RecordFields(answers).List("text").Select(text => text),
            JsonValueKind.Array => answers.EnumerateArray().Select(answer => answer.ValueKind == JsonValueKind.Object
                ? new RecordFields(answer).Value("text")
                : answer),
            _ => throw new FormatException($"\"answers\" must be a list or an object with a list \"text\", it is {answers.ValueKind}."),
        };
        string[] different = [.. texts.Select(Text).Distinct(StringComparer.Ordinal).DefaultIfEmpty("")];
        return new InstructionExample(record.Text("question"), record.OptionalText("context"), different[0])
        {
            Alternatives = different[1..],
        };
    }

    public IEnumerable<RawRecord>? Unfold(RawRecord document, string path) =>
        document.Json is { ValueKind: JsonValueKind.Object } json && json.TryGetProperty("data", out var articles)
            && articles.ValueKind == JsonValueKind.Array && articles.EnumerateArray().Any(HasParagraphs)
            ? articles.EnumerateArray().SelectMany((article, i) => Article($"{document.Place}: data[{i}]", article))
            : null;

    private static bool HasParagraphs(JsonElement article) =>
        article.ValueKind == JsonValueKind.Object && article.TryGetProperty("paragraphs", out _);

    private static IEnumerable<RawRecord> Article(string place, JsonElement article) =>
        Each(place, article, "paragraphs", (at, paragraph) => Each(at, paragraph, "qas", (_, question) =>
        {
            RecordFields asked = new(question);
            return
            [
                new RawRecord(at, JsonSerializer.SerializeToElement(new Dictionary<string, object?>
                {
                    ["id"] = asked.OptionalText("id"),
                    ["title"] = new RecordFields(article).OptionalText("title"),
                    ["context"] = new RecordFields(paragraph).Text("context"),
                    ["question"] = asked.Text("question"),
                    ["answers"] = new { text = asked.List("answers").Select(answer => new RecordFields(answer).Text("text")) },
                })),
            ];
        }));

    /// <summary>What the elements of a list give; one that is broken gives its fault.</summary>
    private static IEnumerable<RawRecord> Each(
        string place, JsonElement parent, string field, Func<string, JsonElement, IEnumerable<RawRecord>> records)
    {
        JsonElement[] items;
        try
        {
            new RecordFields(parent).RequireObject();
            items = [.. new RecordFields(parent).List(field)];
        }
        catch (FormatException e)
        {
            return [new RawRecord(place, default, e.Message)];
        }
        return items.SelectMany((item, i) =>
        {
            var at = $"{place}.{field}[{i}]";
            try
            {
                new RecordFields(item).RequireObject();
                return records(at, item);
            }
            catch (FormatException e)
            {
                return [new RawRecord(at, default, e.Message)];
            }
        });
    }

    private static string Text(JsonElement text) => text.ValueKind == JsonValueKind.String ? text.GetString()!
        : throw new FormatException($"an answer must be a string, it is {text.ValueKind}.");
}
