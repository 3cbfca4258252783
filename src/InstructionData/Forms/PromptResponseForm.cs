namespace FedKSeed.InstructionData.Forms;

/// <summary>What a person asked and what was answered; unlike a completion, an instruction.</summary>
internal sealed class PromptResponseForm : IDataForm
{
    public string Name => "prompt-response";

    public IReadOnlyList<IReadOnlyList<string>> Needed => [["prompt", "response"]];

    public IReadOnlyList<string> Optional => ["system"];

    public Example Read(RecordFields record) =>
        new InstructionExample(record.Text("prompt"), null, record.Text("response")) { System = record.System() };
}
