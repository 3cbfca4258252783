namespace FedKSeed.InstructionData.Forms;

/// <summary>Databricks Dolly's: as Alpaca's, with other names.</summary>
internal sealed class DollyForm : IDataForm
{
    public string Name => "dolly";

    public IReadOnlyList<IReadOnlyList<string>> Needed => [["instruction", "response"]];

    public IReadOnlyList<string> Optional => ["context", "system"];

    public Example Read(RecordFields record) =>
        new InstructionExample(record.Text("instruction"), record.OptionalText("context"), record.Text("response"))
        {
            System = record.System(),
        };
}
