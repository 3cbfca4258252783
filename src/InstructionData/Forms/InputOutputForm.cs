namespace FedKSeed.InstructionData.Forms;

/// <summary>What goes in and what comes out: the input is all the instruction there is.</summary>
internal sealed class InputOutputForm : IDataForm
{
    public string Name => "input-output";

    public IReadOnlyList<IReadOnlyList<string>> Needed => [["input", "output"]];

    public IReadOnlyList<string> Optional => ["system"];

    public Example Read(RecordFields record) =>
        new InstructionExample(record.Text("input"), null, record.Text("output")) { System = record.System() };
}
