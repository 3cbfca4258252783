namespace FedKSeed.InstructionData.Forms;

/// <summary>Stanford Alpaca's: an instruction, what it is about, and the answer.</summary>
internal sealed class AlpacaForm : IDataForm
{
    public string Name => "alpaca";

    public IReadOnlyList<IReadOnlyList<string>> Needed => [["instruction", "output"]];

    public IReadOnlyList<string> Optional => ["input", "system"];

    public Example Read(RecordFields record) =>
        new InstructionExample(record.Text("instruction"), record.OptionalText("input"), record.Text("output"))
        {
            System = record.System(),
        };
}
