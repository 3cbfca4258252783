namespace FedKSeed.InstructionData.Forms;

/// <summary>A question, the text it is about if any, and its answer; or OpenOrca's: system_prompt, question, response.</summary>
internal sealed class QuestionAnswerForm : IDataForm
{
    public string Name => "question-answer";

    public IReadOnlyList<IReadOnlyList<string>> Needed => [["question", "answer"], ["question", "response"]];

    public IReadOnlyList<string> Optional => ["context", "system", "system_prompt"];

    public Example Read(RecordFields record) => new InstructionExample(
        record.Text("question"),
        record.OptionalText("context"),
        record.Text(record.Has("answer") || !record.Has("response") ? "answer" : "response"))
    {
        System = record.System() ?? record.System("system_prompt"),
    };
}
