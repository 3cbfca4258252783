using System.Text.Json;

namespace FedKSeed.InstructionData.Forms;

/// <summary>
/// Triples of preference, as DPO and its kin take them: a prompt, the answer that was chosen and the one that was rejected. The chosen
/// one is learned; the rejected one is kept for an objective that takes both.
/// </summary>
internal sealed class PreferenceForm : IDataForm
{
    public string Name => "dpo";

    public IReadOnlyList<IReadOnlyList<string>> Needed => [["prompt", "chosen", "rejected"], ["question", "chosen", "rejected"]];

    public IReadOnlyList<string> Optional => ["system", "tools"];

    public Example Read(RecordFields record)
    {
        var prompt = record.Has("prompt") || !record.Has("question") ? "prompt" : "question";
        return IsList(record, "chosen")
            ? Conversation(record, prompt)
            : new InstructionExample(record.Text(prompt), null, record.Text("chosen"))
            {
                Rejected = record.Text("rejected"),
                System = record.System(),
            };
    }

    /// <summary>Both answers as messages: behind those of the prompt, or with them.</summary>
    private static ChatExample Conversation(RecordFields record, string prompt)
    {
        var asked = IsList(record, prompt)
            ? MessagesForm.Messages(record, prompt)
            : [new ChatMessage(ChatRole.User, record.Text(prompt))];
        var chosen = Whole(asked, MessagesForm.Messages(record, "chosen"));
        var rejected = Whole(asked, MessagesForm.Messages(record, "rejected"));
        return ChatExample.Of(MessagesForm.WithSystem(record.System(), chosen)) with
        {
            Tools = MessagesForm.Tools(record),
            Rejected = rejected[^1] is { Role: ChatRole.Assistant } last ? last.Content ?? ""
                : throw new FormatException("the last message of \"rejected\" must be the assistant's."),
        };
    }

    private static IReadOnlyList<ChatMessage> Whole(IReadOnlyList<ChatMessage> asked, IReadOnlyList<ChatMessage> answer) =>
        answer.Any(message => message.Role == ChatRole.User) ? answer : [.. asked, .. answer];

    private static bool IsList(RecordFields record, string field) =>
        record.Has(field) && record.Structured(field).ValueKind == JsonValueKind.Array;
}
