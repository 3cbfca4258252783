namespace FedKSeed.InstructionData;

/// <summary>
/// An example with less before its answer. Of an instruction its input loses its end, or the instruction itself where there is no input or
/// all of it is not enough; of a completion the prompt loses its beginning, which is the farthest from the answer; of a conversation its
/// first turns are left out, then the last question loses its end. Pure.
/// </summary>
internal static class ShorterExample
{
    // Characters to begin the search with, in place of all of a text that may be a book.
    private const int FirstGuess = 4096;

    /// <param name="fits">Whether an example is short enough; what is true of one is true of a shorter one.</param>
    /// <returns>The longest one that fits; null where none does.</returns>
    public static Example? Of(Example example, Func<Example, bool> fits) => example switch
    {
        InstructionExample { Input.Length: > 0 } instruction =>
            Input(instruction, fits) ?? Instruction(instruction with { Input = null }, fits),
        InstructionExample instruction => Instruction(instruction, fits),
        CompletionExample completion => Longest(
            completion.Prompt.Length, length => completion with { Prompt = End(completion.Prompt, length) }, fits),
        ChatExample chat => Turns(chat, fits),
        _ => null,
    };

    private static Example? Input(InstructionExample example, Func<Example, bool> fits) =>
        Longest(example.Input!.Length, length => example with { Input = Beginning(example.Input, length) }, fits);

    private static Example? Instruction(InstructionExample example, Func<Example, bool> fits) => fits(example) ? example : Longest(
        example.Instruction.Length, length => example with { Instruction = Beginning(example.Instruction, length) }, fits);

    private static Example? Turns(ChatExample chat, Func<Example, bool> fits) =>
        Longest(chat.Turns.Count - 1, kept => chat with { Turns = [.. chat.Turns.TakeLast(kept + 1)] }, fits)
            ?? LastTurn(chat with { Turns = [chat.Turns[^1]] }, fits);

    private static Example? LastTurn(ChatExample chat, Func<Example, bool> fits) => fits(chat) ? chat : Longest(
        chat.Turns[0].User.Length,
        length => chat with { Turns = [chat.Turns[0] with { User = Beginning(chat.Turns[0].User, length) }] },
        fits);

    /// <summary>The longest of those made with a length from 1 to less than the whole that fits; null where none does.</summary>
    private static Example? Longest(int whole, Func<int, Example> make, Func<Example, bool> fits)
    {
        // What fits lies below the whole, which does not; find a bound near it first, so that few long ones are looked at.
        int least = 0, tooMuch = Math.Min(FirstGuess, whole);
        while (tooMuch < whole && fits(make(tooMuch)))
            (least, tooMuch) = (tooMuch, (int)Math.Min(2L * tooMuch, whole));
        while (tooMuch - least > 1)
        {
            var middle = least + (tooMuch - least) / 2;
            if (fits(make(middle)))
                least = middle;
            else
                tooMuch = middle;
        }
        return least == 0 ? null : make(least);
    }

    // Never through the middle of a character.
    private static string Beginning(string text, int length) => text[..(char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];

    private static string End(string text, int length) => text[^(char.IsLowSurrogate(text[^length]) ? length - 1 : length)..];
}
