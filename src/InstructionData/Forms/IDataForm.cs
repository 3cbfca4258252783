using FedKSeed.InstructionData.Sources;

namespace FedKSeed.InstructionData.Forms;

/// <summary>
/// A form that records come in: which fields one has, and the example that they make. A new one is a file in this folder and its line in
/// <see cref="DataForms.Standard"/>.
/// </summary>
public interface IDataForm
{
    /// <summary>What to write on a command line: lower-case words with hyphens.</summary>
    string Name { get; }

    /// <summary>Sets of fields: a record of this form has all of one of them.</summary>
    IReadOnlyList<IReadOnlyList<string>> Needed { get; }

    /// <summary>Fields that a record may have besides, and that mean something.</summary>
    IReadOnlyList<string> Optional { get; }

    /// <exception cref="FormatException">What is wrong with the record, and in which field.</exception>
    Example Read(RecordFields record);

    /// <summary>The records of a document that holds many in an order of its own; null where this is none of them.</summary>
    /// <param name="path">Of the file, whose name may say what the records are about.</param>
    IEnumerable<RawRecord>? Unfold(RawRecord document, string path) => null;
}
