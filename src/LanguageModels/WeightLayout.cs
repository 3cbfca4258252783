using FedKSeed.Perturbation;

namespace FedKSeed.LanguageModels;

/// <summary>A piece of a <see cref="Parameter"/>: one tensor of the checkpoint.</summary>
/// <param name="Name">Its name in the checkpoint.</param>
/// <param name="Rows">Its rows; 1 for a vector.</param>
internal readonly record struct ParameterPart(string Name, int Rows);

/// <summary>
/// What one product of the forward pass multiplies by: tensors of the checkpoint with as many columns, stacked by rows,
/// so that projections of the same input (query, key and value; gate and up) are one product.
/// </summary>
internal sealed class Parameter(int index, long offset, int columns, IReadOnlyList<ParameterPart> parts, bool isVector)
{
    /// <summary>Position in <see cref="WeightLayout.Parameters"/>.</summary>
    public int Index => index;

    /// <summary>First element in the flat buffer that holds all weights.</summary>
    public long Offset => offset;
    public int Columns => columns;
    public int Rows { get; } = parts.Sum(part => part.Rows);
    public long Count => (long)Rows * columns;
    public IReadOnlyList<ParameterPart> Parts => parts;

    /// <summary>Whether the checkpoint has the shape [n] rather than [rows, columns].</summary>
    public bool IsVector => isVector;
}

/// <summary>A tensor of the checkpoint and its place in the flat buffer.</summary>
internal readonly record struct PlacedTensor(CheckpointTensor Source, int Ordinal, long Offset)
{
    public long Count => Source.ElementCount;
}

/// <summary>
/// Where every weight of a model lies in one flat float32 buffer, in the order in which the forward pass asks for them. An
/// architecture adds its parameters; <see cref="Bind"/> then finds their tensors in a checkpoint.
/// </summary>
internal sealed class WeightLayout
{
    // A parameter starts on a cache line, which is also the widest vector.
    private const int Alignment = 16;

    private readonly List<Parameter> _parameters = [];
    private PlacedTensor[][] _tensors = [];

    public IReadOnlyList<Parameter> Parameters => _parameters;

    /// <summary>Elements of the flat buffer, padding included.</summary>
    public long Length { get; private set; }

    /// <summary>A vector of the checkpoint, of shape [<paramref name="length"/>].</summary>
    public Parameter AddVector(string name, int length) => Add(length, [new ParameterPart(name, 1)], isVector: true);

    /// <summary>Matrices of the checkpoint, each of shape [rows, <paramref name="columns"/>].</summary>
    public Parameter AddMatrix(int columns, params IReadOnlyList<ParameterPart> parts) => Add(columns, parts, isVector: false);

    /// <summary>The tensors of a parameter; after <see cref="Bind"/>.</summary>
    public ReadOnlySpan<PlacedTensor> Tensors(Parameter parameter) => _tensors[parameter.Index];

    /// <summary>Finds the tensors in the checkpoint.</summary>
    /// <exception cref="InvalidDataException">Tensors are missing, misshapen or left over; the message names all of them.</exception>
    public void Bind(Checkpoint checkpoint)
    {
        List<string> faults = [];
        HashSet<string> used = [];
        _tensors = [.. _parameters.Select(parameter => BindParameter(parameter, checkpoint, used, faults))];
        IEnumerable<CheckpointTensor> unused = checkpoint.Weights.Where(tensor => !used.Contains(tensor.Name));
        faults.AddRange(unused.Select(tensor => $"{tensor.Name} is not used by this architecture"));
        if (faults.Count > 0)
        {
            string message = $"{checkpoint.Folder}: the tensors do not fit {ModelConfig.FileName}: {string.Join("; ", faults)}.";
            throw new InvalidDataException(message);
        }
    }

    private Parameter Add(int columns, IReadOnlyList<ParameterPart> parts, bool isVector)
    {
        Parameter parameter = new(_parameters.Count, Length, columns, parts, isVector);
        _parameters.Add(parameter);
        Length += (parameter.Count + Alignment - 1) / Alignment * Alignment;
        return parameter;
    }

    private static PlacedTensor[] BindParameter(Parameter parameter, Checkpoint checkpoint, HashSet<string> used, List<string> faults)
    {
        List<PlacedTensor> placed = [];
        long offset = parameter.Offset;
        foreach (ParameterPart part in parameter.Parts)
        {
            used.Add(part.Name);
            long[] shape = parameter.IsVector ? [parameter.Columns] : [part.Rows, parameter.Columns];
            if (!checkpoint.Contains(part.Name))
                faults.Add($"{part.Name} is missing");
            else if (checkpoint[part.Name] is not { Ordinal: { } ordinal } source)
                faults.Add($"{part.Name} is not a floating-point tensor");
            else if (!source.Shape.SequenceEqual(shape))
                faults.Add($"{part.Name} has the shape [{string.Join(", ", source.Shape)}] instead of [{string.Join(", ", shape)}]");
            else
                placed.Add(new PlacedTensor(source, ordinal, offset));
            offset += (long)part.Rows * parameter.Columns;
        }
        return [.. placed];
    }
}
