namespace FedKSeed.InstructionData.Forms;

/// <summary>A text and how it goes on, nothing around it.</summary>
internal sealed class CompletionForm : IDataForm
{
    public string Name => "completion";

    public IReadOnlyList<IReadOnlyList<string>> Needed => [["prompt", "completion"]];

    public IReadOnlyList<string> Optional => [];

    public Example Read(RecordFields record) => new CompletionExample(record.Text("prompt"), record.Text("completion"));
}
